import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProbeProxy, startProbeProxy } from "../../src/platform/containers/probe-proxy.ts";
import { missingPodman, PodmanBed, refusalIn } from "../support/podman.ts";
import { requirement } from "../support/requirement.ts";

// One registry under several names. A proxy on loopback stands for it, and serves an unsigned image under each name.

const testable = requirement("podman's gate for other spellings of a registry", ...missingPodman());
const HOST = "atcr.example";
const POLICY = "/etc/containers/policy.json";
let bed: PodmanBed;
let proxy: ProbeProxy;

beforeAll(async () => {
  if (!testable) return;
  bed = await PodmanBed.start();
  proxy = await startProbeProxy();
  bed.trust({
    policies: [
      { name: "exempt", scope: `${HOST}/exempt/**`, action: "allow" },
      { name: "refused", scope: `${HOST}/**`, action: "deny" },
    ],
  });
  await bed.startResponder();
});
afterAll(async () => {
  await proxy?.stop();
  await bed?.stop();
});

/** Writes policy.json with this default, and enables the gate. @returns the warning about the default, if there is one */
async function enable(type: string): Promise<readonly string[]> {
  bed.write(POLICY, JSON.stringify({ default: [{ type }] }));
  const { stdout } = await bed.run("atcr-verify", ["enable", "--containers", "--output", "json"]);
  const { findings } = JSON.parse(stdout) as { findings: { level: string; name: string }[] };
  return findings.filter(({ name }) => name === "containers-default").map(({ name }) => name);
}

/** `passed` as soon as a part of the image is read; else the refusal, or what skopeo says. */
async function copy(name: string): Promise<string> {
  const before = proxy.wanted();
  const args = ["copy", "--src-tls-verify=false", "--remove-signatures", `docker://${name}`, "dir:/run/copy"];
  const env = { http_proxy: proxy.url, https_proxy: proxy.url };
  const finished = await bed.run("skopeo", args, { env });
  return proxy.wanted() > before ? "passed" : (refusalIn(finished) ?? finished.stderr);
}

describe.runIf(testable)("a registry", () => {
  it.each(["insecureAcceptAnything", "reject"])(
    "is asked about with and without :443, where the default is %s",
    async (type) => {
      await enable(type);
      for (const host of [HOST, `${HOST}:443`]) {
        expect(await copy(`${host}/alice/app:v1`)).toBe("403 deny policy.denied");
        expect(await copy(`${host}/exempt/app:v1`)).toBe("passed");
      }
    },
  );

  it.each([HOST.toUpperCase(), `${HOST}:80`])(
    "passes as %s where the default accepts, which enable says, and not where it rejects",
    async (host) => {
      expect(await enable("insecureAcceptAnything")).toEqual(["containers-default"]);
      expect(await copy(`${host}/alice/app:v1`)).toBe("passed");
      expect(await enable("reject")).toEqual([]);
      expect(await copy(`${host}/alice/app:v1`)).toContain("is rejected by policy");
    },
  );
});
