import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, auditing, Bench } from "../support/binary.ts";
import { throughReadOnly } from "../support/mounted-file.ts";
import { ProjectedVolume } from "../support/projected-volume.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const canMount = requirement("settings from a ConfigMap", missingRoot("mounts a folder read-only"));

describe.runIf(canMount)("settings in a folder of mode 0777", () => {
  let bench: Bench;
  let volume: ProjectedVolume;
  beforeAll(() => {
    bench = new Bench();
    bench.policy(auditing("did:web:a.example.com"));
    volume = new ProjectedVolume(`${bench.folder}/mounted`, {
      "config.yaml": `trustPolicyPath: ${bench.folder}/mounted/policy.yaml\n`,
      "policy.yaml": auditing("did:web:a.example.com"),
    });
  });
  afterAll(() => bench.remove());

  const findings = async (through: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await ask(["config", "check", volume.path("config.yaml"), "--output", "json"], {
      env: bench.env,
      through,
    });
    const { findings: found } = JSON.parse(stdout) as { findings: { name: string }[] };
    return found.map(({ name }) => name);
  };

  it("are not trusted, as others can replace the links in it", async () => {
    expect(await findings([])).toEqual(["config-distrusted", "file-unusable"]);
  });

  it("are trusted on a read-only mount, as a ConfigMap's volume is", async () => {
    expect(await findings(throughReadOnly(volume.folder))).toEqual([]);
  });
});
