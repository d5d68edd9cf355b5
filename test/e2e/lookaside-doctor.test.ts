import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPodman, PodmanBed } from "../support/podman.ts";
import { requirement } from "../support/requirement.ts";

// The doctor's probe with real skopeo and podman, through the real files of /etc/containers.

const testable = requirement("the doctor's probe by skopeo and podman", ...missingPodman());
/** Names no server: the doctor's proxy stands for it. */
const HOST = "atcr.example";
let bed: PodmanBed;

beforeAll(async () => {
  if (!testable) return;
  bed = await PodmanBed.start();
  bed.trust({ policies: [{ name: "alice", scope: `${HOST}/**`, action: "enforce" }] });
  // The doctor runs podman without the bed's environment.
  const storage = 'driver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n';
  bed.write("/etc/containers/storage.conf", `[storage]\n${storage}`);
  await bed.startResponder();
  const enabled = await bed.run("atcr-verify", ["enable", "--containers"]);
  expect(enabled.code, enabled.stderr).toBe(0);
});
afterAll(() => bed?.stop());

async function doctor(): Promise<Readonly<Record<string, string>>> {
  const args = ["doctor", "--containers", "--probe", "--offline", "--output", "json"];
  const { stdout } = await bed.run("atcr-verify", args);
  const { findings } = JSON.parse(stdout) as { findings: { level: string; name: string; found: string }[] };
  const own = findings.filter(({ name, level }) => name.startsWith("containers-") && level !== "note");
  return Object.fromEntries(own.map(({ name, level, found }) => [name, level === "ok" ? level : `${level}: ${found}`]));
}

const POLICY = "/etc/containers/policy.json";
const OWN = "/etc/containers/registries.d/atcr-verify.yaml";
const ALL_OK = {
  "containers-files": "ok",
  "containers-key": "ok",
  "containers-daemon": "ok",
  "containers-probe": "ok",
};

describe.runIf(testable)("doctor --containers --probe", () => {
  it("has skopeo, or podman without it, refused by this program for the registry's real name", async () => {
    expect(await doctor()).toMatchObject(ALL_OK);
    await bed.run("mv", ["/usr/bin/skopeo", "/usr/bin/skopeo.away"]);
    try {
      expect(await doctor()).toMatchObject(ALL_OK);
    } finally {
      await bed.run("mv", ["/usr/bin/skopeo.away", "/usr/bin/skopeo"]);
    }
  });

  it("notices that policy.json lets the pull through, and that registries.d does not lead to the daemon", async () => {
    const [policy, own] = [bed.read(POLICY), bed.read(OWN)];
    bed.write(POLICY, '{"default": [{"type": "insecureAcceptAnything"}]}');
    bed.write(OWN, "docker: {}\n");
    expect(await doctor()).toMatchObject({
      "containers-files": expect.stringMatching(/^problem/),
      "containers-probe": expect.stringMatching(/^problem: .*let through/),
    });
    bed.write(POLICY, policy);
    expect(await doctor()).toMatchObject({ "containers-probe": expect.stringContaining("no signature exists") });
    bed.write(OWN, own);
    expect(await doctor()).toMatchObject(ALL_OK);
  });

  it("notices that policy.json demands nothing, although skopeo and podman ask for signatures to copy", async () => {
    const policy = bed.read(POLICY);
    bed.write(POLICY, '{"default": [{"type": "insecureAcceptAnything"}]}');
    const found = { "containers-probe": expect.stringMatching(/^problem: .*(?:let through|to copy)/) };
    expect(await doctor()).toMatchObject(found);
    await bed.run("mv", ["/usr/bin/skopeo", "/usr/bin/skopeo.away"]);
    try {
      expect(await doctor()).toMatchObject(found);
    } finally {
      await bed.run("mv", ["/usr/bin/skopeo.away", "/usr/bin/skopeo"]);
      bed.write(POLICY, policy);
    }
  });

  it("notices that nothing answers", async () => {
    await bed.stopResponder();
    try {
      expect(await doctor()).toMatchObject({
        "containers-daemon": expect.stringContaining("does not answer"),
        "containers-probe": expect.stringMatching(/^problem: .*refused/),
      });
    } finally {
      await bed.startResponder();
    }
  });
});
