import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, pushImage } from "../support/image.ts";
import { CleanSystem, canTryPackages, DEB, laterDeb } from "../support/packages.ts";
import { type Machine, recordImage, type SigningSide, startMachine, startSigningSide } from "../support/scenario.ts";

const testable = canTryPackages("an upgrade while images are pulled");
const UPGRADES = 6;

describe.runIf(testable)("an upgrade while a real containerd pulls", () => {
  let system: CleanSystem;
  let registry: Registry;
  let side: SigningSide;
  let machine: Machine;
  let folder: string;
  beforeAll(async () => {
    system = new CleanSystem();
    folder = mkdtempSync(join(tmpdir(), "atcr-upgrade-"));
    await system.must("dpkg", "-i", system.bring(DEB));
    [registry, side] = await Promise.all([startDockerRegistry(), startSigningSide("https")]);
    writeFileSync(join(folder, "ca.pem"), side.ca ?? "");
    machine = await startMachine(
      { registries: [{ host: registry.host }], env: { SSL_CERT_FILE: join(folder, "ca.pem") } },
      system.path("/usr/bin/atcr-verify"),
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
    system.remove();
    rmSync(folder, { recursive: true });
  });

  it("never fails a pull, and never allows one wrongly", async () => {
    const debs = [system.bring(await laterDeb(folder, "9.0.0", false)), system.bring(DEB)];
    let isOver = false;
    const wrong: string[] = [];
    let pulls = 0;
    const pulling = (async () => {
      while (!isOver) {
        const signed = await machine.containerd.pull(`${registry.host}/alice/signed:v1`);
        const unsigned = await machine.containerd.pull(`${registry.host}/alice/unsigned:v1`);
        pulls += 2;
        if (signed.code !== 0) wrong.push(signed.stderr);
        if (!unsigned.stderr.includes("deny signature.none"))
          wrong.push(`unsigned: ${unsigned.code} ${unsigned.stderr}`);
      }
    })();
    try {
      for (let i = 0; i < UPGRADES; i++) await system.must("dpkg", "--force-downgrade", "-i", debs[i % 2] ?? "");
    } finally {
      isOver = true;
      await pulling;
    }
    expect(wrong).toEqual([]);
    expect(pulls).toBeGreaterThan(2 * UPGRADES);
  });
});
