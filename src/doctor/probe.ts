import { randomBytes } from "node:crypto";
import { PROBE_PATH } from "../core/oci/reserved-name.ts";
import type { Environment } from "../io/process/environment.ts";
import { abortIngest } from "../platform/containerd/content.ts";
import { pullByCri } from "../platform/containerd/cri.ts";
import { GrpcError } from "../platform/containerd/grpc.ts";
import type { Containerd } from "../platform/containerd/inspect.ts";
import { CRI_IMAGES_PLUGIN } from "../platform/containerd/inspect.ts";
import { startProbeRegistry } from "../platform/containerd/probe-registry.ts";
import { runProgram } from "../platform/program.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import type { LogReader } from "./log-checks.ts";

/** Milliseconds that one pull may take: a verifier's time, and containerd's own. */
const PATIENCE = 20_000;
/** Milliseconds in which a decision must be in the log. */
const LOGGED_WITHIN = 2_000;
const POLL = 100;
/** gRPC's status of a service that is not there. */
const UNIMPLEMENTED = 12;

export interface ProbeQuestion {
  readonly environment: Environment;
  readonly containerd: Containerd;
  /** This program's, as its answer gives it. */
  readonly build: string;
  /** Of the decision log; absent where nothing is to be told. */
  readonly reader?: LogReader;
}

/**
 * Has containerd pull a name that this program always refuses, by each way in which it pulls. Nobody can have
 * the image: what is served is its digest, and who asks for more has been let through.
 */
export async function probe({
  environment,
  containerd,
  build,
  reader,
}: ProbeQuestion): Promise<readonly CheckResult[]> {
  const { address, ctr, plugins } = containerd;
  if (containerd.isForbidden === true)
    return [warning("probe", `no pull was tried, as this user may not use ${address}`, "run the doctor as root")];
  const isThere = containerd.version !== undefined || containerd.daemon !== undefined;
  if (!isThere)
    return [warning("probe", "no pull was tried, as no containerd answers", "start containerd, and run this again")];
  const findings: CheckResult[] = [];
  if (ctr === undefined)
    findings.push(
      warning("probe", "ctr was not found, so no pull could be tried", "install it, it comes with containerd"),
    );
  else {
    const pull = async (name: string) => {
      const args = ["--address", address, "--namespace", "default", "images", "pull", "--plain-http", name];
      const { code, stderr, stdout } = await runProgram(environment, ctr, args, PATIENCE);
      return code === 0 ? undefined : `${stderr} ${stdout}`;
    };
    findings.push(...(await probeBy({ way: "ctr", namespace: "default", pull, address }, build, reader)));
  }
  // Where it cannot be told whether there is CRI, the pull itself tells.
  if (plugins?.get(CRI_IMAGES_PLUGIN) === "ok" || plugins === undefined)
    findings.push(...(await probeCri(address, build, reader)));
  return findings;
}

async function probeCri(
  address: string,
  build: string,
  reader: LogReader | undefined,
): Promise<readonly CheckResult[]> {
  let isAbsent = false;
  const pull = async (name: string) => {
    try {
      await pullByCri(address, name, PATIENCE);
      return undefined;
    } catch (error) {
      isAbsent = error instanceof GrpcError && error.status === UNIMPLEMENTED;
      return (error as Error).message;
    }
  };
  const findings = await probeBy({ way: "CRI (kubelet, crictl)", namespace: "k8s.io", pull, address }, build, reader);
  return isAbsent ? [ok("probe", "containerd answers no CRI: no kubelet pulls through it")] : findings;
}

/** A way in which containerd pulls. */
interface Way {
  /** For people. */
  readonly way: string;
  /** Of containerd, that it pulls into. */
  readonly namespace: string;
  /** containerd's socket. */
  readonly address: string;
  /** Answers why it failed; undefined where it did not. */
  readonly pull: (name: string) => Promise<string | undefined>;
}

async function probeBy(
  { way, namespace, pull, address }: Way,
  build: string,
  reader: LogReader | undefined,
): Promise<readonly CheckResult[]> {
  const digest = `sha256:${randomBytes(32).toString("hex")}`;
  const registry = await startProbeRegistry(digest);
  try {
    const image = `${registry.host}/${PROBE_PATH}/${randomBytes(8).toString("hex")}:probe`;
    const refused = await pull(image);
    // What was let through was begun, and containerd would keep the beginning for a while.
    if (registry.wanted() > 0) await abortIngest(address, namespace, `manifest-${digest}`, PATIENCE);
    const { finding, asked } = judge(way, { refused, wanted: registry.wanted(), image, digest, build });
    if (asked === undefined || reader === undefined) return [finding];
    return [finding, await findLogged(way, asked, reader)];
  } finally {
    await registry.stop();
  }
}

/** @returns the digest that this program was asked about, where it was */
function judge(
  way: string,
  pulled: { refused: string | undefined; wanted: number; image: string; digest: string; build: string },
): { finding: CheckResult; asked?: string } {
  const { refused, wanted, image, digest, build } = pulled;
  const name = "probe";
  if (wanted > 0 || refused === undefined) {
    const found = `a pull by ${way} of a name that this program always refuses was let through`;
    return { finding: problem(name, found, "pulls are NOT verified: see the problems above") };
  }
  const said = refused.trim().slice(-300);
  const [, by, asked] =
    /deny policy\.probe: atcr-verify (.{1,100}?) was asked about (sha256:[0-9a-f]{64}),/.exec(refused) ?? [];
  if (asked === undefined || !refused.includes(image)) {
    const found = `a pull by ${way} failed, but not because this program refused it: ${said}`;
    return { finding: problem(name, found, "see what it says: pulls fail, or another verifier refuses first") };
  }
  if (by !== build) {
    const found = `a pull by ${way} was refused by another build of this program: ${said}`;
    return { finding: problem(name, found, "run: atcr-verify enable") };
  }
  const found = `a pull by ${way} was refused by this program, as it must be`;
  // The name is as fresh as the digest, so this program was asked about this pull all the same.
  const elsewhere = "; a mirror for all registries answered in this one's place (certs.d/_default)";
  return { finding: ok(name, asked === digest ? found : `${found}${elsewhere}`), asked };
}

async function findLogged(way: string, digest: string, reader: LogReader): Promise<CheckResult> {
  const name = "probe-log";
  if ("unread" in reader)
    return warning(name, `that pull by ${way} was not looked for: ${reader.unread}`, `look for ${digest} there`);
  const advice = "see that containerd's environment names the same configuration, and that the log can be written";
  try {
    for (let waited = 0; waited <= LOGGED_WITHIN; waited += POLL) {
      if (await reader.isLogged(digest)) return ok(name, `the decision log tells of that pull by ${way}`);
      await new Promise((done) => setTimeout(done, POLL));
    }
  } catch (error) {
    return problem(name, `the decision log cannot be read: ${(error as Error).message}`, advice);
  }
  return problem(name, `the decision log does not tell of that pull by ${way}`, advice);
}
