import type { ChildProcess } from "node:child_process";
import { afterAll, describe, expect, it, vi } from "vitest";
import { enforcing, headline, TestNode } from "../support/binary.ts";
import type { Override, StandInServer } from "../support/http-server.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { type Descriptor, SIGNATURE_TYPE } from "../support/stand-in-registry.ts";

/** So many that none is asked before the registry names one. */
const crowd = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);
/** Longer than a pull with its pauses takes on a busy machine, and shorter than what nobody may sleep. */
const LONG = 14_000;

const busy: Override = { status: 503 };
const retryAfter = (seconds: number): Override => ({ status: 429, headers: { "retry-after": String(seconds) } });
const reset: Override = (exchange) => {
  exchange.reset();
  return undefined;
};
const hangUp: Override = ({ incoming }) => {
  incoming.socket.destroy();
  return undefined;
};

type Service = "plc" | "pds" | "registry";
const SERVICES: readonly Service[] = ["plc", "pds", "registry"];

let worlds: TestNode[] = [];
afterAll(async () => {
  await Promise.all(worlds.map((world) => world.stop()));
  worlds = [];
});

/** A world of its own, in which all three services matter: the registry must name the signer. */
async function start(settings: object = {}): Promise<{ world: TestNode; image: Descriptor }> {
  const world = await TestNode.start();
  worlds.push(world);
  const image = await world.image("signed");
  const payload = { $type: "io.atcr.atproto.signature", version: "1.0", atproto: { did: world.signer.did } };
  world.registry.attach("alice/app", image, { artifactType: SIGNATURE_TYPE, payload });
  world.policy(enforcing(...crowd, world.signer.did));
  world.configure({ ...world.settings, ...settings });
  return { world, image };
}

function serverOf(world: TestNode, service: Service): StandInServer {
  return world[service];
}

describe.concurrent("a service that fails twice and then answers", () => {
  const failures: [string, Override][] = [
    ["is busy", busy],
    ["resets", reset],
    ["hangs up", hangUp],
  ];
  it.each(failures)("refuses no pull: %s", async (_, failure) => {
    const { world, image } = await start();
    for (const service of SERVICES) serverOf(world, service).override("", failure, failure, "usual");
    expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    expect(world.plc.count()).toBe(3);
    expect(world.pds.count()).toBe(3);
    // The list, the manifest and the payload.
    expect(world.registry.count()).toBe(5);
  });
});

describe.concurrent("a service that fails for good", () => {
  it.each([
    ["plc", "identity.unreachable"],
    ["pds", "pds.unreachable"],
    ["registry", "registry.unreachable"],
  ] as const)("is asked three times, and the reason says so: %s", async (service, code) => {
    const { world, image } = await start();
    serverOf(world, service).override("", busy);
    const answered = await world.verify([`${world.name}@${image.digest}`, "--output", "json"]);
    const report = JSON.parse(answered.stdout) as { code: string; reason: string; findings: { detail: string }[] };
    expect(report.code).toBe(code);
    const often = new RegExp(
      `${serverOf(world, service).authority.replace(".", "\\.")} answered with status 503 \\(3 attempts in \\d+\\.\\d s\\)`,
    );
    expect(report.reason).toMatch(often);
    expect(report.findings.map(({ detail }) => detail).join("\n")).toMatch(often);
    expect(serverOf(world, service).count()).toBe(3);
  });

  it("is asked again only when all directories have been asked", async () => {
    const { world, image } = await start();
    const tls = world.authority.issue({ names: ["127.0.0.1"] });
    await using second = await StandInPlc.start({ tls });
    second.add(world.signer.log);
    world.configure({ ...world.settings, plcDirectories: [world.plc.origin, second.origin] });
    world.plc.override("", busy);
    expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    expect([world.plc.count(), second.count()]).toEqual([1, 1]);
    second.override("", busy);
    expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive identity.unreachable");
    expect([world.plc.count(), second.count()]).toEqual([4, 4]);
    const all = [...world.plc.requests.slice(1), ...second.requests.slice(1)];
    const inOrder = all.toSorted((a, b) => a.arrivedAt - b.arrivedAt).map((one) => world.plc.requests.includes(one));
    expect(inOrder.slice(0, 2)).toEqual([true, false]);
  });
});

describe.concurrent("Retry-After", () => {
  it.each(SERVICES)("of a second is waited for: %s", async (service) => {
    const { world, image } = await start();
    const server = serverOf(world, service);
    server.override("", retryAfter(1), "usual");
    expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    const [first, second] = server.requests;
    expect((second?.arrivedAt ?? 0) - (first?.answeredAt ?? Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(990);
  });

  it.each([
    ["plc", "identity.unreachable"],
    ["pds", "pds.unreachable"],
    ["registry", "registry.unreachable"],
  ] as const)("of an hour is not: %s", async (service, code) => {
    const { world, image } = await start({ deadline: "60s" });
    serverOf(world, service).override("", retryAfter(3600));
    const answered = await world.pull(world.name, image);
    expect(headline(answered)).toBe(`2 inconclusive ${code}`);
    expect(answered.stdout).toContain(", Retry-After 3600 s)");
    expect(answered.took).toBeLessThan(LONG);
    expect(serverOf(world, service).count()).toBe(1);
  });

  it("that does not fit into the service's own time is not waited for either", async () => {
    const { world, image } = await start({ deadline: "60s", pdsTimeout: "2s" });
    world.pds.override("", retryAfter(3));
    expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive pds.unreachable");
    expect(world.pds.count()).toBe(1);
  });

  it("of a registry is waited for by no allow", async () => {
    const { world, image } = await start({ deadline: "60s", registryTimeout: "60s" });
    world.policy(enforcing(world.signer.did));
    world.registry.override("", retryAfter(50));
    const answered = await world.pull(world.name, image);
    expect(headline(answered)).toBe("0 allow signed");
    expect(answered.took).toBeLessThan(LONG);
  });
});

describe.concurrent("the deadline", () => {
  it("ends attempts and pauses, and is told of", async () => {
    const { world, image } = await start({ deadline: "3s" });
    world.plc.override("", busy, () => new Promise(() => {}));
    const answered = await world.pull(world.name, image);
    expect(headline(answered)).toBe("2 inconclusive net.deadline");
    expect(answered.stdout).toMatch(/\(2 attempts in \d\.\d s\)/);
    expect(world.plc.count()).toBe(2);
  });

  it("or a signal finds out what was waited for, in a pause too", async () => {
    const { world, image } = await start({ deadline: "60s", didResolverTimeout: "60s" });
    world.plc.override("", retryAfter(50));
    const started = async (child: ChildProcess) => {
      await vi.waitUntil(() => world.plc.count() > 0, { timeout: LONG, interval: 10 });
      setTimeout(() => child.kill("SIGTERM"), 500);
    };
    const answered = await world.pull(world.name, image, { started: (child) => void started(child) });
    expect(headline(answered)).toBe("2 inconclusive net.interrupted");
    expect(answered.stdout).toContain(`a retry of directory ${world.plc.authority}`);
  });
});
