import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROBE_PATH } from "../core/oci/reserved-name.ts";
import type { Environment } from "../io/process/environment.ts";
import { startProbeProxy } from "../platform/containers/probe-proxy.ts";
import { findProgram, runProgram } from "../platform/program.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";

/** Milliseconds that one pull may take; podman tries three times. */
const TIMEOUT = 30_000;
/** Most registries that are tried. */
const MAX_HOSTS = 5;
const NAME = "containers-probe";
const MAX_QUOTED = 300;
/** How containers/image begins a refusal by policy.json. Signatures that it only copies fail otherwise. */
const BY_POLICY = "Source image rejected";

/**
 * Has skopeo, or else podman, pull a name of each registry that the responder always refuses. The files of /etc/containers
 * are the real ones, and are read for the registry's real name; only the registry itself is replaced, by a proxy on loopback.
 *
 * @param build of this program, as its refusal quotes it
 */
export async function probeContainers(
  environment: Environment,
  hosts: readonly string[],
  build: string,
): Promise<readonly CheckResult[]> {
  const skopeo = findProgram(environment, "skopeo");
  const program = skopeo ?? findProgram(environment, "podman");
  if (program === undefined) {
    const found = "no pull was tried: neither skopeo nor podman was found";
    return [problem(NAME, found, "install skopeo, and run this again")];
  }
  const [local, others] = [hosts.filter(isLocal), hosts.filter((host) => !isLocal(host))];
  const findings = local.map((host) => {
    const found = `no pull from ${host} was tried: for a registry on this machine, no proxy is used that could stand for it`;
    // That is known beforehand; but a probe that tries nothing proves nothing.
    return others.length > 0 ? note(NAME, found) : problem(NAME, found, "pull an unsigned image from it by hand");
  });
  for (const host of others.slice(0, MAX_HOSTS)) {
    findings.push(await probeHost(environment, { program, isSkopeo: program === skopeo, host, build }));
  }
  if (others.length > MAX_HOSTS) {
    const found = `${others.length - MAX_HOSTS} more registries were not tried: ${others.slice(MAX_HOSTS).join(", ")}`;
    findings.push(warning(NAME, found, "the files say the same of them"));
  }
  return findings;
}

/** As Go's HTTP client knows hosts that it never asks by a proxy. */
function isLocal(host: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host);
}

interface Pull {
  readonly program: string;
  readonly isSkopeo: boolean;
  readonly host: string;
  readonly build: string;
}

async function probeHost(environment: Environment, { program, isSkopeo, host, build }: Pull): Promise<CheckResult> {
  const folder = mkdtempSync(join(tmpdir(), "atcr-verify-probe-"));
  const proxy = await startProbeProxy();
  try {
    const image = `${host}/${PROBE_PATH}/${randomBytes(8).toString("hex")}:probe`;
    // Without TLS: the proxy has no certificate of the registry, and nothing that it serves is used.
    // With its signatures, skopeo would ask for them only to copy them, whatever the policy demands.
    const args = isSkopeo
      ? ["copy", "--src-tls-verify=false", "--remove-signatures", `docker://${image}`, `dir:${join(folder, "image")}`]
      : ["pull", "--tls-verify=false", image];
    const { code, stdout, stderr } = await runProgram(environment, program, args, TIMEOUT, {
      HTTP_PROXY: proxy.url,
      HTTPS_PROXY: proxy.url,
      http_proxy: proxy.url,
      https_proxy: proxy.url,
    });
    const said = `${stderr} ${stdout}`;
    return judge(
      { program, host, build },
      { isRefused: code !== 0 && proxy.wanted() === 0, said, digest: proxy.digest },
    );
  } finally {
    await proxy.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exported for tests. */
export function judge(
  { program, host, build }: Omit<Pull, "isSkopeo">,
  { isRefused, said, digest }: { readonly isRefused: boolean; readonly said: string; readonly digest: string },
): CheckResult {
  if (!isRefused) {
    const found = `a pull from ${host} by ${program}, of a name that this program always refuses, was let through`;
    return problem(NAME, found, "pulls are NOT verified: see the other problems for the cause");
  }
  const [, by, asked] =
    /deny policy\.probe: atcr-verify (.{1,100}?) was asked about (sha256:[0-9a-f]{64})\b/.exec(said) ?? [];
  if (asked !== digest) {
    const found = `a pull from ${host} by ${program} failed, but not because this program refused it: ${said.trim().slice(-MAX_QUOTED)}`;
    return problem(NAME, found, "read that message: pulls fail, or another policy refused first");
  }
  if (!said.includes(BY_POLICY)) {
    const found = `a pull from ${host} by ${program} asked this program only for signatures to copy: policy.json demands none of this node`;
    return problem(NAME, found, "pulls are NOT verified: see the other problems for the cause");
  }
  if (by !== build) {
    const found = `a pull from ${host} by ${program} was refused by another build of this program, ${by}`;
    return problem(NAME, found, "run: systemctl restart atcr-verify-lookaside.service");
  }
  return ok(NAME, `a pull from ${host} by ${program} was refused by this program, as expected`);
}
