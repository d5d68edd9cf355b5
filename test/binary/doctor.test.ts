import { describe, expect, it } from "vitest";
import type { TestNode } from "../support/binary.ts";
import { doctor, healthy, policyFor } from "../support/doctor.ts";
import { startStandInDocker } from "../support/stand-in-docker.ts";

// What the doctor says of this node and of the services that a policy names. Of containerd: test/containerd/doctor.test.ts.

describe.concurrent("the doctor", () => {
  it("looks at all that a pull depends on, here and elsewhere", async () => {
    await healthy(async (world) => {
      const { findings } = await doctor(world, { timedatectl: "echo yes" });
      const levels = Object.fromEntries(findings.map(({ level, name }) => [name, level]));
      expect(levels).toMatchObject({
        configuration: "ok",
        policy: "ok",
        identity: "ok",
        pds: "ok",
        registry: "ok",
        clock: "ok",
        proc: "ok",
        certificates: expect.any(String),
        "state-folder": "ok",
        "cache-folder": "ok",
        "decision-log": "ok",
        metrics: "ok",
        "break-glass": "ok",
        "other-clients": "note",
        containerd: "problem",
        probe: "warning",
      });
      for (const { level, advice } of findings)
        expect([level, (advice ?? "").length > 0]).toEqual([level, level === "problem" || level === "warning"]);
      const service = findings.filter(({ name }) => name === "identity" || name === "pds" || name === "registry");
      for (const [i, part] of [world.signer.did, world.pds.origin, world.registry.authority].entries())
        expect(service[i]?.found).toContain(part);
    });
  });

  it.each([500, 502, 503, 504, 429])("does not take a service for one that answers which says %i", async (status) => {
    await healthy(async (world) => {
      world.pds.override("/xrpc/_health", { status });
      world.registry.override("", { status });
      const { of } = await doctor(world);
      expect(
        [...of("pds"), ...of("registry")].map(({ level, found }) => [level, found.includes(String(status))]),
      ).toEqual([
        ["problem", true],
        ["warning", true],
      ]);
    });
  });

  it("takes a service for one that answers which asks who is there, or knows no such question", async () => {
    await healthy(async (world) => {
      world.pds.override("/xrpc/_health", { status: 501 });
      world.registry.override("", { status: 401 });
      const { levels } = await doctor(world);
      expect([levels("pds"), levels("registry")]).toEqual([["ok"], ["ok"]]);
    });
  });

  it("takes a redirect for an answer, and the word in the name of a host that is not there for nothing", async () => {
    await healthy(async (world) => {
      world.registry.override("", { status: 307, headers: { location: "https://elsewhere.invalid/" } });
      world.policy(policyFor(world, [world.signer.did], [world.registry.authority, "redirect.invalid"]));
      expect((await doctor(world)).levels("registry")).toEqual(["ok", "warning"]);
    });
  });

  it("finds services that are not there", async () => {
    await healthy(async (world) => {
      await Promise.all([world.pds.stop(), world.registry.stop()]);
      const { levels } = await doctor(world);
      expect([levels("identity"), levels("pds"), levels("registry")]).toEqual([["ok"], ["problem"], ["warning"]]);
      await world.plc.stop();
      const { levels: later, of } = await doctor(world);
      expect([later("identity"), later("pds")]).toEqual([["problem"], []]);
      expect(of("identity")[0]?.found).toContain(world.plc.origin);
    });
  });

  it("says of how many it does not ask", async () => {
    await healthy(async (world) => {
      const strangers = Array.from({ length: 6 }, (_, i) => `did:plc:${"abcdef"[i]?.repeat(24)}`);
      const hosts = Array.from({ length: 7 }, (_, i) => `127.0.0.1:${i + 1}`);
      world.policy(policyFor(world, [world.signer.did, ...strangers], hosts));
      const { of } = await doctor(world);
      expect(of("identity")).toHaveLength(6);
      expect(of("identity").at(-1)).toMatchObject({ level: "warning", found: "2 more signers were not checked" });
      expect(of("registry").at(-1)).toMatchObject({ level: "warning", found: "2 more registries were not checked" });
    });
  });

  it.each([
    ["yes", "ok"],
    ["no", "warning"],
  ])("asks whether the clock is synchronised: %s", async (answer, level) => {
    await healthy(async (world) => {
      expect((await doctor(world, { timedatectl: `echo ${answer}` })).levels("clock")).toEqual([level]);
    });
  });

  it("finds dockerd, and a nerdctl that asks nobody", async () => {
    await healthy(async (world) => {
      const old = await doctor(world, { dockerd: "", nerdctl: "echo nerdctl version 2.2.1" });
      expect(old.levels("other-clients")).toEqual(["warning", "warning", "note"]);
      const { levels } = await doctor(world, { nerdctl: "echo nerdctl version 2.3.0" });
      expect(levels("other-clients")).toEqual(["warning", "note"]);
    });
  });

  it("has dockerd pull, through the socket that DOCKER_HOST names, and says what that has shown", async () => {
    await healthy(async (world) => {
      const socket = `${world.folder}/docker.sock`;
      const stop = await startStandInDocker(socket, "pulls");
      try {
        const { of } = await doctor(world, {}, { DOCKER_HOST: `unix://${socket}` }, ["--probe"]);
        const [{ level, found } = { level: "", found: "" }] = of("other-clients");
        expect([level, found.includes("was let through")]).toEqual(["warning", true]);
      } finally {
        stop();
      }
    });
  });

  it("names the configuration that it read, or that there is none", async () => {
    await healthy(async (world) => {
      expect((await doctor(world)).of("configuration")[0]?.found).toBe(`${world.env["ATCR_VERIFY_CONFIG"]} is valid`);
      world.write("config.yaml", "nonsense: 1\n");
      const { of, findings } = await doctor(world);
      expect(of("configuration")[0]).toMatchObject({
        level: "problem",
        advice: expect.stringContaining("refuses every pull"),
      });
      expect(findings.map(({ name }) => name)).toContain("break-glass");
    });
  });

  it("has a break-glass file with a mistake corrected, not thrown away in an emergency", async () => {
    await healthy(async (world) => {
      const file = world.write("glass.yaml", 'reason: x\nuntil: 2h\nscope: "**"\n');
      const { of } = await doctor(world, {}, { ATCR_VERIFY_BREAK_GLASS: file });
      expect(of("break-glass")).toEqual([
        expect.objectContaining({ level: "warning", advice: expect.stringMatching(/^correct it/) }),
      ]);
    });
  });

  it.each<[string, (world: TestNode) => void, string]>([
    ["stateDir", (world) => world.write("config.yaml.state", ""), "state-folder"],
    ["cacheDir", (world) => world.write("config.yaml.cache", ""), "cache-folder"],
  ])("finds a %s that cannot be used", async (_, damage, name) => {
    await healthy(async (world) => {
      damage(world);
      expect((await doctor(world)).levels(name)).toEqual(["problem"]);
    });
  });
});
