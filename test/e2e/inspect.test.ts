import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Ask, ask, TestNode } from "../support/binary.ts";
import { HANDLE, HANDLE_TXT, NamedWorld } from "../support/named-world.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { faultsOfText } from "../support/result-schema.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const ANNOTATION = "io.atcr.atproto.did";
const REPOSITORY = "alice/app";

interface Report {
  readonly judged: boolean;
  readonly digest?: string;
  readonly signers: readonly {
    readonly did: string;
    readonly state: string;
    readonly title: string;
    readonly namedBy: readonly { readonly kind: string }[];
    readonly proven: Record<string, Record<string, unknown>>;
    readonly problems: readonly string[];
  }[];
  readonly notAsked: readonly string[];
  readonly gaps: readonly { readonly code: string }[];
  readonly owner?: Record<string, unknown>;
  readonly unresolved?: { readonly code: string };
}

let world: TestNode;
beforeAll(async () => {
  world = await TestNode.start();
});
beforeEach(() => {
  for (const server of [world.plc, world.pds, world.registry]) {
    server.reset();
    server.forget();
  }
});
afterAll(() => world.stop());

const inspect = (args: readonly string[], options: Ask = {}) =>
  ask(["inspect", ...args], { env: world.env, ...options });
async function report(args: readonly string[], options: Ask = {}): Promise<Report & { exit: number | null }> {
  const { code, stdout } = await inspect([...args, "--output", "json"], options);
  expect(stdout).toMatch(/^\{\n[ -~\n]*\n\}\n$/);
  expect(stdout).not.toMatch(/"(?:verified|outcome|allowed)":/);
  return { exit: code, ...(JSON.parse(stdout) as Report) };
}
const nameOf = (image: Descriptor) => `${world.registry.authority}/${REPOSITORY}@${image.digest}`;
const attach = (image: Descriptor, did: string) =>
  world.registry.attach(REPOSITORY, image, { annotations: { [ANNOTATION]: did } });

describe("inspect", () => {
  it("shows who signed an image, down to the path in their repo, and has status 0", async () => {
    const image = await world.image("signed");
    attach(image, world.signer.did);
    const found = await report([nameOf(image)]);
    expect(found).toMatchObject({ exit: 0, judged: false, digest: image.digest, gaps: [] });
    expect(found.signers).toMatchObject([
      {
        did: world.signer.did,
        state: "signed",
        namedBy: [{ kind: "referrer" }],
        proven: {
          identity: { key: world.signer.key.did(), pds: world.pds.origin },
          record: { isPresent: true, commit: { cid: world.signer.repo.head, rev: world.signer.repo.rev } },
        },
      },
    ]);
    const { stdout, code } = await inspect([nameOf(image)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^not judged: [ -~\n]+$/);
    expect(stdout).toContain(`      commit  ${world.signer.repo.head}\n        |     rev ${world.signer.repo.rev} `);
  });

  it("resolves a tag, and says by whom", async () => {
    const image = world.registry.pushImage(REPOSITORY, "tagged", "v1");
    await world.signer.sign(image.digest, "app", Date.now() - 1000);
    const found = await report([world.name, "--signer", world.signer.did]);
    expect(found).toMatchObject({
      exit: 0,
      digest: image.digest,
      resolved: { by: world.registry.authority },
      signers: [{ state: "signed", namedBy: [{ kind: "given" }] }],
    });
  });

  it("has status 0 where nobody signed: it is no gate", async () => {
    const image = await world.image("unsigned", { signed: false });
    const found = await report([nameOf(image), "--signer", world.signer.did]);
    expect(found).toMatchObject({
      exit: 0,
      signers: [{ state: "not signed", proven: { record: { isPresent: false } } }],
    });
    expect(await report([nameOf(image)])).toMatchObject({ exit: 0, signers: [] });
  });

  it("has status 2 where no service answers", async () => {
    const image = await world.image("silent");
    attach(image, world.signer.did);
    world.plc.override("", { status: 503 });
    const found = await report([nameOf(image)]);
    expect(found).toMatchObject({ exit: 2, signers: [{ state: "unknown" }] });
    expect(found.signers[0]?.problems[0]).toMatch(/^identity\.unreachable: /);
  });

  it("asks 16 of 1,000 DIDs that referrers name, 8 at a time", async () => {
    const image = await world.image("flooded");
    const letters = "abcdefghijklmnopqrstuvwxyz234567";
    const at = (i: number) => letters.charAt(i % 32);
    for (let i = 0; i < 1000; i++) attach(image, `did:plc:${at(i)}${at(Math.floor(i / 32))}${"a".repeat(22)}`);
    world.plc.delay(150);
    const found = await report([nameOf(image), "--signer", world.signer.did]);
    expect(found.signers).toHaveLength(16);
    expect(found.signers[0]).toMatchObject({ did: world.signer.did, state: "signed" });
    expect(found.notAsked.length).toBeGreaterThan(0);
    expect(found.gaps).toMatchObject([{ code: "registry.too_many_candidates" }]);
    const asked = world.plc.requests.map(({ path }) => /did:plc:[^/]*/.exec(path)?.[0]);
    expect(new Set(asked).size).toBe(16);
    expect(Math.max(...world.plc.requests.map(({ inFlight }) => inFlight))).toBeLessThanOrEqual(8);
  });

  it("asks no did:web at a private address that network.allow does not list", async () => {
    const image = await world.image("private");
    const port = world.pds.port;
    for (const did of [`did:web:localhost%3A${port}`, "did:web:metadata.internal.example"]) attach(image, did);
    const config = world.configure({ ...world.settings, network: {} }, "strict.yaml");
    const found = await report([nameOf(image), "--config", config]);
    expect(found.signers.map(({ state }) => state)).toEqual(["unknown", "unknown"]);
    expect(found.signers.find(({ did }) => did.includes("localhost"))?.problems[0]).toMatch(
      /^net\.forbidden_address: /,
    );
    expect(world.pds.requests).toEqual([]);
  });

  it("shows the others while a PDS hangs", async () => {
    const image = await world.image("slow");
    attach(image, world.signer.did);
    attach(image, "did:web:localhost%3A1");
    world.pds.delay(60_000, "getRecord");
    const config = world.configure({ ...world.settings, deadline: "2s" }, "hasty.yaml");
    const found = await report([nameOf(image), "--config", config]);
    // The identity is proven, so something is known.
    expect(found.exit).toBe(0);
    const [slow] = found.signers;
    expect(slow).toMatchObject({
      did: world.signer.did,
      state: "unknown",
      proven: { identity: { pds: world.pds.origin } },
    });
    expect(slow?.problems[0]).toMatch(/^net\.deadline: /);
    expect(found.signers).toHaveLength(2);
  });

  it("prints nothing of others that a terminal or a pipeline obeys", async () => {
    const image = await world.image("hostile", { signed: false });
    await world.signer.sign(image.digest, "\u001b[2J::error::\u202e", Date.now(), { "\u0007##[group]": "\r\n::stop" });
    attach(image, world.signer.did);
    world.registry.attach(REPOSITORY, image, {
      annotations: { [ANNOTATION]: world.signer.did, "io.atcr.atproto.recordUri": "at://\u001b]0;x\u0007::error::" },
    });
    const { stdout } = await inspect([nameOf(image)]);
    expect(stdout).toMatch(/^[ -~\n]*$/);
    expect(stdout).toContain("repository");
    expect(stdout).not.toMatch(/::|##/);
  });

  it("writes nothing into this node's folders", async () => {
    const image = await world.image("forgotten");
    attach(image, world.signer.did);
    const config = world.configure({ ...world.settings, cacheEnabled: true }, "stores.yaml");
    expect(await report([nameOf(image), "--config", config])).toMatchObject({ exit: 0 });
    const folders = readdirSync(world.folder).filter((name) => name.startsWith("stores.yaml."));
    expect(folders.flatMap((name) => readdirSync(join(world.folder, name)))).toEqual([]);
  });

  it.each([
    [["nginx", "--signer", "alice"], '--signer is "alice"'],
    [["a/b:", "--output", "json"], "image.malformed_reference"],
    [
      ["a/b", ..."abcdefgh".split("").flatMap((letter) => ["--signer", `did:web:${letter}.example`])],
      "found 8 --signer",
    ],
  ])("takes no %j", async (args, text) => {
    const { code, stdout } = await inspect(args);
    expect(code).toBe(3);
    expect(stdout).toContain(text);
    expect(stdout).not.toContain('"outcome"');
  });

  it("asks nobody where the configuration is offline", async () => {
    const config = world.configure({ ...world.settings, offline: true }, "offline.yaml");
    const { code, stdout } = await inspect([world.name, "--config", config]);
    expect([code, stdout]).toEqual([3, expect.stringContaining("config.invalid: ")]);
    expect(world.registry.requests).toEqual([]);
  });
});

const canServeNames = requirement(
  "the owner of a handle, by DNS and https",
  missingRoot("binds ports 53 and 443, mounts resolv.conf"),
);

describe.runIf(canServeNames)("an image at atcr.io", () => {
  let named: NamedWorld;
  const IMAGE = `atcr.io/${HANDLE}/app:v1`;
  let own: TestNode;

  beforeAll(async () => {
    named = await NamedWorld.start(168);
    own = named.world;
  });
  beforeEach(() => {
    named.reset();
    named.names.answers.set(HANDLE_TXT, [`did=${own.signer.did}`]);
  });
  afterEach(() => named.registry.reset());
  afterAll(() => named.stop());
  const run = (args: readonly string[]) => ask(args, { env: own.env, through: named.through });

  it("shows its owner first", async () => {
    const image = await named.image(`${HANDLE}/app`);
    const { stdout, code } = await run(["inspect", `atcr.io/${HANDLE}/app@${image.digest}`]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      `\n  signed by    @${HANDLE} (owner of the handle in the name)\n               ${own.signer.did}\n`,
    );
  });

  it("has the tag of its owner's record where the registry wants a login", async () => {
    const image = await named.image(`${HANDLE}/app`);
    await own.signer.tag("app", "v1", image.digest, Date.now());
    named.registry.override("", { status: 401, headers: { "www-authenticate": 'Basic realm="atcr"' } });
    const { stdout, code } = await run(["inspect", IMAGE]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      `  tag          :v1 in the own record of @${HANDLE} (registry not asked):\n               ${image.digest}\n`,
    );
    expect(stdout).toContain(`  signed by    @${HANDLE} (owner of the handle in the name)\n`);
    expect(stdout).toContain("log in to the registry");
  });

  describe("of which a person with nothing configured asks", () => {
    const SCREEN = 24;
    /** Runs it in a mount namespace whose /etc has no policy, only where the services are. */
    const unconfigured = (args: readonly string[]) => {
      const config = JSON.stringify({ plcDirectories: [own.plc.origin], network: { allow: ["127.0.0.0/8"] } });
      const script = [
        "names=$(cat /etc/resolv.conf)",
        "hosts=$(cat /etc/hosts)",
        "mount -t tmpfs -o mode=755 none /etc",
        "mkdir /etc/atcr-verify",
        "printf '%s\\n' \"$names\" > /etc/resolv.conf",
        "printf '%s\\n' \"$hosts\" > /etc/hosts",
        `printf '%s' '${config}' > /etc/atcr-verify/config.yaml`,
        'exec "$0" "$@"',
      ].join(" && ");
      const { SSL_CERT_FILE = "" } = own.env;
      const shell = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${script}`];
      return ask(args, { env: { SSL_CERT_FILE, HOME: own.folder }, through: [...named.through, ...shell] });
    };

    it("the first screen says who signed it, and nothing is judged", async () => {
      const { digest } = named.registry.pushImage(`${HANDLE}/app`, "first use", "v1");
      await own.signer.sign(digest, "app", Date.now());
      const { stdout, code } = await unconfigured([IMAGE]);
      expect(code).toBe(5);
      const screen = stdout.split("\n").slice(0, SCREEN).join("\n");
      expect(screen).toMatch(/^unjudged no_policy: /);
      expect(screen).toContain("\n  tag          :v1 points here (asked atcr.io, ");
      expect(screen).toContain(`\n  signed by    @${HANDLE} (owner of the handle in the name)\n`);
      expect(screen).toContain("atcr-verify policy init");
      expect(stdout).not.toMatch(/trust|add it/);
      const json = await unconfigured([IMAGE, "-o", "json"]);
      expect([json.code, JSON.parse(json.stdout)]).toMatchObject([
        5,
        {
          outcome: "unjudged",
          verified: false,
          digest,
          inspected: { judged: false, signers: [{ did: own.signer.did }] },
        },
      ]);
      expect(faultsOfText(json.stdout)).toEqual([]);
    });

    it("the first screen says what to do where the registry wants a login", async () => {
      const image = await named.image(`${HANDLE}/app`);
      await own.signer.tag("app", "v1", image.digest, Date.now() + 1000);
      named.registry.override("", { status: 401, headers: { "www-authenticate": 'Basic realm="atcr"' } });
      const { stdout, code } = await unconfigured([IMAGE]);
      expect(code).toBe(5);
      const screen = stdout.split("\n").slice(0, SCREEN).join("\n");
      expect(screen).toContain(
        `:v1 in the own record of @${HANDLE} (registry not asked):\n               ${image.digest}\n`,
      );
      expect(screen).toContain(`signed by    @${HANDLE} (owner`);
      expect(screen).toContain("log in to the registry");
    });

    it("nobody is asked about a list, nor where nothing of it is printed", async () => {
      named.names.asked.length = 0;
      for (const args of [
        [IMAGE, "-q"],
        [IMAGE, "-o", "ref"],
        [IMAGE, `${IMAGE}2`],
      ]) {
        expect((await unconfigured(args)).code).toBe(5);
      }
      expect(named.names.asked).toEqual([]);
    });
  });
});
