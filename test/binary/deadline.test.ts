import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import type { BundledImage } from "../../src/core/evidence/bundled-image.ts";
import type { SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import {
  type Answered,
  type Ask,
  accepting,
  ask,
  auditing,
  Bench,
  containerdArgs,
  enforcing,
  headline,
  TestNode,
} from "../support/binary.ts";
import { asDid } from "../support/evidence.ts";
import { HostileServer } from "../support/hostile-server.ts";
import { manyKeys } from "../support/plc-operations.ts";
import { run } from "../support/process.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

/** Milliseconds after the deadline within which the answer must be there: starting the process counts, too. */
const SLACK = 1500;
/** Where the point is who is waited for: long enough for a busy machine to have come that far. */
const LONG = 3000;
const OVER = "2 inconclusive net.deadline";

let world: TestNode;
let image: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
});
afterAll(() => world.stop());

function expectAfter({ took }: Answered, deadline: number): void {
  expect(took).toBeGreaterThanOrEqual(deadline - 50);
  expect(took).toBeLessThan(deadline + SLACK);
}

/** A configuration and a policy of this test's own. */
function under(name: string, settings: object, policy = enforcing(world.signer.did)): Ask {
  const trustPolicyPath = world.policy(policy, `${name}.policy.yaml`);
  const config = world.configure({ ...world.settings, deadline: "1s", ...settings, trustPolicyPath }, `${name}.yaml`);
  return { env: { ...world.env, ATCR_VERIFY_CONFIG: config } };
}

/** Accepts connections and says nothing, not even in TLS. */
const silence = () => HostileServer.start("accept and be silent");

describe("15 signers whose logs cost all of the time", () => {
  it("do not keep the 16th from being heard", async () => {
    const logs = await Promise.all(
      Array.from({ length: 15 }, async (_, i) => manyKeys(`hostile ${i}`, world.begun, 250)),
    );
    world.plc.add(...logs);
    // Whoever answers last is looked at last.
    world.plc.delay(500, ({ path }) => path.includes(world.signer.did));
    const all = enforcing(world.signer.did, ...logs.map(({ did }) => did));
    const asked = under("many-keys", { deadline: "8s" }, all);
    expect(headline(await world.pull(world.name, image, asked))).toBe("0 allow signed");
    world.plc.reset();
    const hostile = enforcing(...logs.map(({ did }) => did));
    expect(headline(await world.pull(world.name, image, under("all-hostile", { deadline: "2s" }, hostile)))).toBe(OVER);
  });
});

// The longest first, as these run together.
describe.concurrent("the deadline", () => {
  it.each([9000, 2500])("is the configured one, shorter or longer than usual: %i ms", async (deadline) => {
    const server = await silence();
    const timeouts = { didResolverTimeout: "60s", deadline: `${deadline}ms` };
    const settings = { plcDirectories: [`https://${server.authority}`], ...timeouts };
    const answered = await world.pull(world.name, image, under(`configured${deadline}`, settings));
    expect(headline(answered)).toBe(OVER);
    expectAfter(answered, deadline);
    await server.stop();
  });

  it("counts from the start of the process, also while none of the program runs: containerd does so", async () => {
    const through = ["/bin/sh", "-c", 'sleep 3; exec "$0" "$@"'];
    const options = { ...under("late", { deadline: "2s" }), through };
    expect(headline(await world.pull(world.name, image, options))).toBe(OVER);
    const inTime = { ...under("in time", { deadline: "30s" }), through };
    expect(headline(await world.pull(world.name, image, inTime))).toBe("0 allow signed");
  });

  it("is not that of one service, whose time may be over before", async () => {
    const server = await silence();
    const settings = { plcDirectories: [`https://${server.authority}`], didResolverTimeout: "300ms", deadline: "5s" };
    const answered = await world.pull(world.name, image, under("service", settings));
    expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
    expect(answered.took).toBeLessThan(LONG);
    await server.stop();
  });

  it("lets through what a rule or the default only audits", async () => {
    const server = await silence();
    const settings = { plcDirectories: [`https://${server.authority}`] };
    const byDefault = `version: 1\ntrustedDIDs: [${JSON.stringify(world.signer.did)}]\ndefault: audit\n`;
    for (const [name, policy] of [
      ["rule", auditing(world.signer.did)],
      ["default", byDefault],
    ] as const) {
      const answered = await world.pull(world.name, image, under(`audit-${name}`, settings, policy));
      expect(headline(answered)).toBe("0 allow audited");
      expect(answered.stdout).toContain("inconclusive net.deadline: ");
    }
    await server.stop();
  });
});

// Again where the watchdog barked before the judgement at the deadline was done, as on a machine that has no
// time for it: a judgement that is never done fails each time.
describe.concurrent("time is over while waiting for", { retry: 2 }, () => {
  it("the standard input: the watchdog barks after 8 s unless configured, and containerd still hears why", async () => {
    const answered = await ask(containerdArgs(world.name, image.digest), { stdin: null, env: world.env });
    expect(headline(answered)).toBe(OVER);
    expect(answered.stdout).toContain("no answer within 8.0 s, waiting for the standard input");
    expectAfter(answered, 8000);
  });

  it("a directory", async () => {
    const server = await silence();
    const answered = await world.pull(
      world.name,
      image,
      under("plc", { plcDirectories: [`https://${server.authority}`], deadline: `${LONG}ms` }),
    );
    expect(headline(answered)).toBe(OVER);
    expect(answered.stdout).toContain(`directory ${server.authority}: `);
    expectAfter(answered, LONG);
    await server.stop();
  });

  it("a PDS", async () => {
    const server = await silence();
    const own = await TestNode.start({ pds: `https://${server.authority}` });
    own.configure({ ...own.settings, deadline: `${LONG}ms` });
    const answered = await own.pull(own.name, image);
    expect(headline(answered)).toBe(OVER);
    expect(answered.stdout).toContain(`PDS ${server.authority}: `);
    expectAfter(answered, LONG);
    // Audited, it is let through, and the reason says the same.
    own.policy(auditing(own.signer.did));
    const audited = await own.pull(own.name, image);
    expect(headline(audited)).toBe("0 allow audited");
    expect(audited.stdout).toContain(`inconclusive net.deadline: PDS ${server.authority}: `);
    expectAfter(audited, LONG);
    await Promise.all([server.stop(), own.stop()]);
  });

  it("a registry that is needed", async () => {
    const server = await silence();
    const many = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);
    const settings = under("registry", { deadline: `${LONG}ms` }, enforcing(...many));
    const answered = await world.pull(`${server.authority}/app:v1`, image, settings);
    expect(headline(answered)).toBe(OVER);
    expect(answered.stdout).toContain(`registry ${server.authority}: `);
    expectAfter(answered, LONG);
    await server.stop();
  });

  it("a registry that is not needed, for a refusal alone", async () => {
    const server = await silence();
    const name = `${server.authority}/alice/app:v1`;
    const settings = under("unneeded", { deadline: `${LONG}ms` });
    const allowed = await world.pull(name, image, settings);
    expect(headline(allowed)).toBe("0 allow signed");
    const refused = await world.pull(name, unsigned, settings);
    expect(headline(refused)).toBe("1 deny signature.none");
    expectAfter(refused, LONG);
    await server.stop();
  });

  it("answers that trickle", async () => {
    const servers = await Promise.all([
      HostileServer.start("one byte a second", { tls: world.authority.issue({ names: ["127.0.0.1"] }) }),
      HostileServer.start("a header byte a second", { tls: world.authority.issue({ names: ["127.0.0.1"] }) }),
      HostileServer.start("headers without end", { tls: world.authority.issue({ names: ["127.0.0.1"] }) }),
    ]);
    await Promise.all(
      servers.map(async (server, i) => {
        const answered = await world.pull(world.name, image, under(`trickle${i}`, { plcDirectories: [server.origin] }));
        expect(answered.code).toBe(2);
        expect(answered.took).toBeLessThan(1000 + SLACK);
        await server.stop();
      }),
    );
  });

  it("a bundle from a pipe that nobody writes to", async () => {
    const pipe = join(world.folder, "bundle.pipe");
    await run("mkfifo", [pipe]);
    const args = [`${world.name}@${image.digest}`, "--offline", "--bundle", pipe];
    const answered = await world.verify(args, under("pipe", {}));
    expect(headline(answered)).toBe(OVER);
    expect(answered.stdout).toContain(`waiting for the bundle ${pipe}`);
    expectAfter(answered, 1000);
  });

  it("a bundle with logs that cost more than the time there is", async () => {
    const saved = join(world.folder, "honest.json");
    const name = `${world.name}@${image.digest}`;
    expect(headline(await world.verify([name, "--save-evidence", saved]))).toBe("0 allow signed");
    const { bundle } = readBundle(readFileSync(saved));
    const [whole] = bundle.images as [BundledImage];
    const [honest] = whole.evidence.signatures as [SignatureEvidence];
    const logs = await Promise.all(
      Array.from({ length: 9 }, async (_, i) => manyKeys(`costly ${i}`, world.begun, 250)),
    );
    const costly = logs.map((log): SignatureEvidence => {
      return { ...honest, signer: asDid(log.did), identity: { ...honest.identity, bytes: log.bytes() } };
    });
    const evidence = { ...whole.evidence, signatures: [...costly, honest] };
    const policy = accepting(...logs.map(({ did }) => did), world.signer.did);
    const file = world.write("costly.json", writeBundle({ ...bundle, images: [{ ...whole, evidence }] }));
    const answered = await world.verify([name, "--offline", "--bundle", file], under("costly", {}, policy));
    expect(headline(answered)).toBe(OVER);
  });
});

describe.concurrent("the watchdog", () => {
  it("barks where something never settles, and lets through what is only audited", async () => {
    const server = await silence();
    // Planted: time-outs that end nothing.
    const BUN_INSPECT_PRELOAD = world.write("deaf.cjs", "AbortController.prototype.abort = () => {};");
    const settings = { plcDirectories: [`https://${server.authority}`], deadline: `${LONG}ms` };
    for (const [policy, expected] of [
      [enforcing(world.signer.did), OVER],
      [auditing(world.signer.did), "0 allow audited"],
    ] as const) {
      const { env } = under(`deaf-${expected.slice(0, 1)}`, settings, policy);
      const answered = await world.pull(world.name, image, { env: { ...env, BUN_INSPECT_PRELOAD } });
      expect(headline(answered)).toBe(expected);
      expect(answered.stdout).toContain("net.deadline: no answer within 3.0 s, waiting for ");
      expect(answered.stdout).toContain(`directory ${server.authority}`);
      expectAfter(answered, LONG);
    }
    await server.stop();
  });
});

describe.concurrent("files that are none", () => {
  it.each(["pipe", "folder", "/dev/zero", "/dev/null", "/dev/tty"])("do not hang: %s", async (kind) => {
    const bench = new Bench();
    const path = kind.startsWith("/") ? kind : join(bench.folder, kind);
    if (kind === "pipe") await run("mkfifo", [path]);
    if (kind === "folder") bench.write("folder/file", "");
    bench.configure({ trustPolicyPath: path });
    const byPolicy = await bench.pull("registry.example/app", image);
    expect(headline(byPolicy)).toBe("3 misconfigured policy.invalid");
    const byConfig = await bench.pull("registry.example/app", image, { env: { ATCR_VERIFY_CONFIG: path } });
    expect(headline(byConfig)).toBe("3 misconfigured config.invalid");
    bench.remove();
  });
});

describe.concurrent("told to end", () => {
  const INTERRUPTED = "2 inconclusive net.interrupted";

  it("it answers net.interrupted, and what it waited for", async () => {
    const server = await silence();
    const settings = { plcDirectories: [`https://${server.authority}`], deadline: "8s" };
    for (const policy of [enforcing(world.signer.did), auditing(world.signer.did)]) {
      const before = server.connections;
      let told = 0;
      const started = async (child: ChildProcess) => {
        // Not after a time: a busy machine may not have come that far.
        await vi.waitUntil(() => server.connections > before, { timeout: 8000, interval: 10 });
        told = performance.now();
        child.kill("SIGTERM");
      };
      const options = {
        ...under("interrupted", settings, policy),
        started: (child: ChildProcess) => void started(child),
      };
      const answered = await world.pull(world.name, image, options);
      expect(headline(answered)).toBe(INTERRUPTED);
      expect(answered.stdout).toContain(`directory ${server.authority}`);
      expect(performance.now() - told).toBeLessThan(SLACK);
    }
    await server.stop();
  });

  it("while it reads the standard input, too", async () => {
    const args = containerdArgs(world.name, image.digest);
    const started = (child: ChildProcess) => void setTimeout(() => child.kill("SIGTERM"), 1000);
    const answered = await ask(args, { stdin: null, env: world.env, started });
    expect(headline(answered)).toBe(INTERRUPTED);
    expect(answered.stdout).toContain("the standard input");
  });
});

describe.concurrent("a bug", () => {
  /** Planted through the environment, which is in the trust base: a program run as root by a daemon. */
  const plant = (name: string, code: string): Ask => {
    const file = world.write(`${name}.cjs`, code);
    return { env: { ...under(name, {}).env, BUN_INSPECT_PRELOAD: file } };
  };

  it.each<[string, string]>([
    ["an exception in the decision", "Date.now = () => { throw new TypeError('planted') };"],
    [
      "an exception in a task that gathers",
      "URLSearchParams = class { constructor() { throw new TypeError('planted') } };",
    ],
    ["an exception that nobody awaits", "setTimeout(() => { throw new TypeError('planted') }, 5);"],
    ["a rejection that nobody awaits", "setTimeout(() => Promise.reject(new TypeError('planted')), 5);"],
    ["a rejection with no error", "setTimeout(() => Promise.reject('TypeError: planted'), 5);"],
  ])("is internal.error, exit code 4, under audit too: %s", async (title, code) => {
    // The watchdog is far away, so that it is not what ends the run.
    for (const policy of [enforcing(world.signer.did), auditing(world.signer.did)]) {
      const name = `bug-${title.replaceAll(" ", "-")}`;
      const options = plant(name, code);
      under(name, { deadline: "8s" }, policy);
      const answered = await ask(containerdArgs(world.name, image.digest), {
        ...options,
        stdin: null,
        started: ({ stdin }) => void setTimeout(() => stdin?.end(JSON.stringify(image)), 300),
      });
      expect(headline(answered)).toBe("4 internal internal.error");
      expect(answered.stdout).toContain("TypeError: planted; please report this");
      // Where it happened is for standard error alone.
      expect(answered.stderr).toMatch(title.includes("no error") ? /^$/ : /^TypeError: planted\n {4,}at /);
    }
  });
});
