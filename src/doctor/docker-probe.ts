import { randomBytes } from "node:crypto";
import { PROBE_PATH } from "../core/oci/reserved-name.ts";
import { startProbeRegistry } from "../platform/containerd/probe-registry.ts";
import { pullByDocker } from "../platform/docker-engine.ts";
import type { Dockerd } from "../platform/other-clients.ts";
import { type CheckResult, ok, warning } from "./check.ts";
import { DOCKER_ADVICE, unprobedDocker } from "./environment-checks.ts";
import { judge } from "./probe.ts";

/** Milliseconds that the pull may take. */
const TIMEOUT = 20_000;
const TAG = "probe";
const NAME = "other-clients";

/**
 * Has dockerd pull a name that this program always refuses. Upstream's engine has no part that asks verifiers of bin_dir;
 * Bottlerocket's own one has. What it lets through is a warning and no problem: containerd's gate is not open for that.
 *
 * @param build of this program, as its refusal quotes it
 */
export async function probeDocker(dockerd: Dockerd, build: string): Promise<CheckResult> {
  const { how, socket } = dockerd;
  if (socket === undefined) return unprobedDocker(dockerd, "no pull was tried: its socket was not found");
  const digest = `sha256:${randomBytes(32).toString("hex")}`;
  const registry = await startProbeRegistry(digest);
  try {
    const name = `${registry.host}/${PROBE_PATH}/${randomBytes(8).toString("hex")}`;
    const refused = await pullByDocker(socket, name, TAG, TIMEOUT);
    const wanted = registry.wanted();
    const image = `${name}:${TAG}`;
    const { finding } = judge(`dockerd (${how})`, { refused, wanted, image, digest, build });
    if (finding.level === "ok") return ok(NAME, finding.found);
    if (wanted === 0 && refused !== undefined) return unprobedDocker(dockerd, `its pull was not decisive: ${refused}`);
    return warning(NAME, `${finding.found}: its pulls are not verified`, DOCKER_ADVICE);
  } finally {
    await registry.stop();
  }
}
