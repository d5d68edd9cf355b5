import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, pushImage } from "../support/image.ts";
import { CleanSystem, canTryPackages, DEB, laterDeb, laterRpm, RPM, systemRoot } from "../support/packages.ts";
import { run } from "../support/process.ts";
import { type Machine, recordImage, type SigningSide, startMachine, startSigningSide } from "../support/scenario.ts";

const testable = canTryPackages("an upgrade while images are pulled");
const UPGRADES = 6;

/** A system with the program in it, and what upgrades it. */
interface Installed {
  readonly system: CleanSystem;
  /** Path inside. */
  readonly program: string;
  /** To a later version, and back, in turn. */
  readonly upgrade: (count: number) => Promise<unknown>;
}

async function byDpkg(folder: string): Promise<Installed> {
  const system = new CleanSystem();
  const debs = [system.bring(DEB), system.bring(await laterDeb(folder, "9.0.0", false))];
  await system.must("dpkg", "-i", debs[0] ?? "");
  const upgrade = (count: number) => system.must("dpkg", "--force-downgrade", "-i", debs[count % 2] ?? "");
  return { system, program: "/usr/bin/atcr-verify", upgrade };
}

/** Into a folder of the checkers' root, which has rpm. */
async function byRpm(): Promise<Installed> {
  const system = new CleanSystem("checkers");
  const rpms = [system.bring(RPM), await laterRpm(system, "9.0.0")];
  const { code, stderr } = await run("cp", ["-a", systemRoot("clean"), system.path("/tmp/node")]);
  expect([code, stderr]).toEqual([0, ""]);
  const rpm = (...args: readonly string[]) =>
    system.must("rpm", "--root", "/tmp/node", "--nodeps", "--force-debian", ...args);
  await rpm("-i", rpms[0] ?? "");
  const upgrade = (count: number) => rpm("-U", "--oldpackage", rpms[count % 2] ?? "");
  return { system, program: "/tmp/node/usr/bin/atcr-verify", upgrade };
}

describe.runIf(testable).each([
  ["dpkg", byDpkg],
  ["rpm", byRpm],
])("an upgrade by %s while a real containerd pulls", (_, install) => {
  let installed: Installed;
  let registry: Registry;
  let side: SigningSide;
  let machine: Machine;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "atcr-upgrade-"));
    installed = await install(folder);
    [registry, side] = await Promise.all([startDockerRegistry(), startSigningSide("https")]);
    writeFileSync(join(folder, "ca.pem"), side.ca ?? "");
    machine = await startMachine(
      { registries: [{ host: registry.host }], env: { SSL_CERT_FILE: join(folder, "ca.pem") } },
      installed.system.path(installed.program),
    );
    const alice = await side.createSigner("alice");
    machine.configure({ plcDirectories: [side.plc.origin], network: { allow: ["127.0.0.0/8", registry.url] } });
    const rule = { name: "all", scope: "**", action: "enforce", require: { owner: "any" } };
    machine.trust({ version: 1, trustedDIDs: [alice.did], policies: [rule] });
    for (const repository of ["alice/signed", "alice/unsigned"]) {
      const content = buildImage(repository);
      await pushImage(registry.url, repository, content, "v1");
      if (repository === "alice/signed") await recordImage(alice, content, repository);
    }
  });
  afterAll(async () => {
    await Promise.all([machine, registry, side].map((started) => started?.stop()));
    installed.system.remove();
    rmSync(folder, { recursive: true });
  });

  it("never fails a pull, and never allows one wrongly", async () => {
    let isInvalidated = false;
    const wrong: string[] = [];
    let pulls = 0;
    const pulling = (async () => {
      while (!isInvalidated) {
        const signed = await machine.containerd.pull(`${registry.host}/alice/signed:v1`);
        const unsigned = await machine.containerd.pull(`${registry.host}/alice/unsigned:v1`);
        pulls += 2;
        if (signed.code !== 0) wrong.push(signed.stderr);
        if (!unsigned.stderr.includes("deny signature.none"))
          wrong.push(`unsigned: ${unsigned.code} ${unsigned.stderr}`);
      }
    })();
    try {
      for (let i = 0; i < UPGRADES; i++) await installed.upgrade(i + 1);
    } finally {
      isInvalidated = true;
      await pulling;
    }
    expect(wrong).toEqual([]);
    expect(pulls).toBeGreaterThan(2 * UPGRADES);
  });
});
