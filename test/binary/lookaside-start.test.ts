import { createPrivateKey } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { ACTIVATE, type DaemonOptions, LookasideDaemon, withDaemon } from "../support/lookaside-daemon.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// How the responder starts and ends: its key, its address, the socket of systemd, signals.

let node: TestNode;
let image: Descriptor;
let name: string;
/** Keys that were made as they should be. */
let good: string;
let other: string;
let folders = 0;

beforeAll(async () => {
  node = await TestNode.start();
  image = await node.image("signed");
  name = `${node.registry.authority}/alice/app`;
  demand(node, { rule: { scope: `${node.registry.authority}/**` } });
  [good, other] = [newKey(), newKey()];
  for (const keyFile of [good, other]) await withDaemon(async () => {}, node, { keyFile });
});
afterAll(() => node.stop());

/** Path of a key in a new folder. */
function newKey(): string {
  const folder = join(node.folder, `keys-${++folders}`);
  mkdirSync(folder, { mode: 0o755 });
  return join(folder, "node.key");
}

const text = (path: string) => readFileSync(path, "utf8");
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** The exit status and code of a start that must fail. */
async function refusedStart(options: DaemonOptions): Promise<string> {
  const daemon = await LookasideDaemon.launch(node, options);
  const killer = setTimeout(() => void daemon.stop(), 5000);
  try {
    return await daemon.headline();
  } finally {
    clearTimeout(killer);
  }
}

function makeFolder(path: string): void {
  rmSync(path);
  mkdirSync(path, { mode: 0o700 });
}

describe("the key", () => {
  it("is made at the first start, for this user alone, and stays", async () => {
    const keyFile = newKey();
    await withDaemon(async () => {}, node, { keyFile });
    expect([mode(keyFile), mode(`${keyFile}.pub`)]).toEqual(["600", "644"]);
    const key = createPrivateKey(text(keyFile));
    expect([key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve]).toEqual(["ec", "prime256v1"]);
    expect(text(`${keyFile}.pub`)).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    const before = text(`${keyFile}.pub`);
    await withDaemon(
      async (daemon) => {
        expect(text(`${keyFile}.pub`)).toBe(before);
        daemon.signed((await daemon.ask(name, image.digest)).body);
      },
      node,
      { keyFile },
    );
  });

  it.each<[string, (keyFile: string) => void]>([
    ["is lost, though policy.json may name its public half", (keyFile) => rmSync(keyFile)],
    ["lost its public half", (keyFile) => rmSync(`${keyFile}.pub`)],
    ["is not that of its public half", (keyFile) => writeFileSync(`${keyFile}.pub`, text(`${other}.pub`))],
    ["was made on another machine", (keyFile) => writeFileSync(`${keyFile}.machine`, `${"0".repeat(64)}\n`)],
    ["comes from a machine that is not known", (keyFile) => rmSync(`${keyFile}.machine`)],
    ["can be read by others", (keyFile) => chmodSync(keyFile, 0o640)],
    ["lies in a folder that others can change", (keyFile) => chmodSync(join(keyFile, ".."), 0o777)],
    ["is no key", (keyFile) => writeFileSync(keyFile, "no key\n", { mode: 0o600 })],
    ["is a folder", makeFolder],
  ])("is not used where it %s", async (_, damage) => {
    const keyFile = newKey();
    cpSync(dirname(good), dirname(keyFile), { recursive: true });
    damage(keyFile);
    expect(await refusedStart({ keyFile })).toBe("3 config.invalid");
  });

  it("is replaced by --new-key, also a lost one, and the old one's signatures no longer count", async () => {
    const keyFile = newKey();
    const bodies: Buffer[] = [];
    const signing = async (daemon: LookasideDaemon) => void bodies.push((await daemon.ask(name, image.digest)).body);
    await withDaemon(signing, node, { keyFile });
    rmSync(keyFile);
    const config = node.configure({ ...node.settings, lookaside: { keyFile } }, `new-key-${folders}.yaml`);
    const made = await ask(["lookaside", "--new-key", "--config", config], { env: node.env });
    expect(made.code).toBe(0);
    expect([mode(keyFile), mode(`${keyFile}.pub`)]).toEqual(["600", "644"]);
    await withDaemon(
      async (daemon) => {
        expect(bodies.map(({ length }) => length > 100)).toEqual([true]);
        for (const body of bodies) expect(() => daemon.signed(body)).toThrow();
        expect(daemon.signed((await daemon.ask(name, image.digest)).body)).toBeDefined();
      },
      node,
      { keyFile },
    );
  });
});

describe("the address", () => {
  it.each([
    "0.0.0.0:947",
    "[::]:947",
    "192.0.2.1:947",
    "localhost:947",
    "127.0.0.1",
    "127.0.0.1:0",
    "[::ffff:127.0.0.1]:947",
  ])("is not %s", async (listen) => {
    expect(await refusedStart({ listen, keyFile: newKey() })).toBe("3 config.invalid");
  });

  it("is taken already: it does not start", async () => {
    await withDaemon(
      async ({ port }) => {
        expect(await refusedStart({ listen: `127.0.0.1:${port}`, keyFile: newKey() })).toBe("3 config.invalid");
      },
      node,
      { keyFile: newKey() },
    );
  });
});

describe("a socket of systemd", () => {
  it("is served, and stays open when the responder ends", async () => {
    await withDaemon(
      async (daemon) => {
        expect((await daemon.ask(name, image.digest)).status).toBe(200);
        expect(await daemon.answerTo(name, `sha256:${"0".repeat(64)}`)).toBe("403 deny signature.none");
        expect(await daemon.end()).toBe(0);
      },
      node,
      { through: ACTIVATE, keyFile: newKey() },
    );
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ["at another address", { ADDRESS: "127.0.0.2" }],
    ["at all addresses", { ADDRESS: "0.0.0.0" }],
    ["of two", { LISTEN_FDS: "2" }],
  ])("is refused %s", async (_, env) => {
    expect(await refusedStart({ through: ACTIVATE, env, keyFile: newKey() })).toBe("3 config.invalid");
  });

  it("of another process is not used", async () => {
    const env = { LISTEN_PID: "1", LISTEN_FDS: "1" };
    await withDaemon(async (daemon) => expect((await daemon.ask(name, image.digest)).status).toBe(200), node, {
      env,
      keyFile: newKey(),
    });
  });
});

describe("SIGTERM", () => {
  it("lets the answers under way be given, and takes no further request", async () => {
    await withDaemon(
      async (daemon) => {
        node.pds.delay(700);
        const reply = daemon.ask(name, image.digest);
        await new Promise((done) => setTimeout(done, 200));
        const ended = daemon.end();
        await new Promise((done) => setTimeout(done, 100));
        expect((await daemon.ask(name, image.digest)).status).not.toBe(200);
        expect((await reply).status).toBe(200);
        expect(await ended).toBe(0);
        node.pds.reset();
      },
      node,
      { keyFile: newKey() },
    );
  });
});
