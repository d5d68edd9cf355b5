import { randomBytes } from "node:crypto";
import { PROBE_PATH } from "../core/oci/reserved-name.ts";
import { abortIngest } from "../platform/containerd/content.ts";
import { pullByCri } from "../platform/containerd/cri.ts";
import { GrpcError } from "../platform/containerd/grpc.ts";
import type { Containerd } from "../platform/containerd/inspect.ts";
import { CRI_IMAGES_PLUGIN } from "../platform/containerd/inspect.ts";
import { startProbeRegistry } from "../platform/containerd/probe-registry.ts";
import { pullByTransfer } from "../platform/containerd/transfer.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import type { LogReader } from "./log-checks.ts";

/** Milliseconds that one pull may take: the verifier's timeout, and containerd's own work. */
const TIMEOUT = 20_000;
/** Milliseconds in which a decision must be in the log. */
const LOGGED_WITHIN = 2_000;
const POLL = 100;
/** Characters of containerd's message that are shown. */
const MAX_SHOWN = 300;
/** gRPC status of a service that does not exist. */
const UNIMPLEMENTED = 12;

export interface ProbeQuestion {
  readonly containerd: Containerd;
  /** Of this program, as its refusal quotes it. */
  readonly build: string;
  /** Of the decision log; absent if decisions are not logged. */
  readonly reader?: LogReader;
}

/** What the pull by CRI has shown; absent if none was tried. */
export type CriShown = "refused" | "not refused" | "not served";

export interface Probed {
  readonly findings: readonly CheckResult[];
  readonly cri?: CriShown;
  /** Whether the pull by the transfer service was refused by this program. */
  readonly isRun: boolean;
}

/**
 * Has containerd pull a name that this program always refuses, by the transfer service and by CRI. Only the digest of
 * that image is served, so a request for its manifest shows that the pull was let through.
 */
export async function probe({ containerd, build, reader }: ProbeQuestion): Promise<Probed> {
  const { address, plugins } = containerd;
  const isThere = containerd.version !== undefined || containerd.daemon !== undefined;
  const notTried = (finding: CheckResult): Probed => ({ findings: [finding], isRun: false });
  if (containerd.isForbidden === true) {
    const found = `no pull was tried: this user may not connect to ${address}`;
    return notTried(problem("probe", found, "run this as root"));
  }
  if (!isThere) {
    const found = "no pull was tried: containerd does not answer";
    return notTried(warning("probe", found, "start containerd, and run this again"));
  }
  const pull = (name: string) => pullByTransfer(address, "default", name, TIMEOUT);
  const way = "the transfer service (ctr, nerdctl)";
  const { findings } = await probeBy({ way, namespace: "default", pull, address }, build, reader);
  const isRun = isRefused(findings);
  // If it is not known whether CRI is loaded, the pull shows it.
  if (plugins !== undefined && plugins.get(CRI_IMAGES_PLUGIN) !== "ok") return { findings, isRun };
  const ofCri = await probeCri(address, build, reader);
  return { ...ofCri, isRun, findings: [...findings, ...ofCri.findings] };
}

/** Whether this program refused the pull of these findings. */
function isRefused(findings: readonly CheckResult[]): boolean {
  return findings.some(({ name, level }) => name === "probe" && level === "ok");
}

async function probeCri(
  address: string,
  build: string,
  reader: LogReader | undefined,
): Promise<Required<Pick<Probed, "findings" | "cri">>> {
  const pull = (name: string) => pullByCri(address, name, TIMEOUT);
  const way = "CRI (kubelet, crictl)";
  const { findings, status } = await probeBy({ way, namespace: "k8s.io", pull, address }, build, reader);
  if (status === UNIMPLEMENTED)
    return {
      findings: [ok("probe", "containerd does not serve CRI: no kubelet pulls through it")],
      cri: "not served",
    };
  return { findings, cri: isRefused(findings) ? "refused" : "not refused" };
}

/** One way to have containerd pull. */
interface Way {
  /** For people. */
  readonly way: string;
  /** containerd namespace that it pulls into. */
  readonly namespace: string;
  /** containerd's socket. */
  readonly address: string;
  /** Throws if containerd does not pull. */
  readonly pull: (name: string) => Promise<unknown>;
}

/** @returns the findings, and the gRPC status that the pull ended with, if it is another than OK */
async function probeBy(
  { way, namespace, pull, address }: Way,
  build: string,
  reader: LogReader | undefined,
): Promise<{ findings: readonly CheckResult[]; status?: number }> {
  const digest = `sha256:${randomBytes(32).toString("hex")}`;
  const registry = await startProbeRegistry(digest);
  try {
    const image = `${registry.host}/${PROBE_PATH}/${randomBytes(8).toString("hex")}:probe`;
    const error = await pull(image).then(
      () => undefined,
      (failed: Error) => failed,
    );
    // The pull was let through and began to write, which containerd would keep for a while.
    if (registry.wanted() > 0) await abortIngest(address, namespace, `manifest-${digest}`, TIMEOUT);
    const refused = error?.message;
    const { finding, asked } = judge(way, { refused, wanted: registry.wanted(), image, digest, build });
    const logged = asked === undefined || reader === undefined ? [] : [await findLogged(way, asked, reader)];
    return { findings: [finding, ...logged], ...(error instanceof GrpcError && { status: error.status }) };
  } finally {
    await registry.stop();
  }
}

/** @returns the finding, and the digest that this program was asked about, if it was */
export function judge(
  way: string,
  pulled: { refused: string | undefined; wanted: number; image: string; digest: string; build: string },
): { finding: CheckResult; asked?: string } {
  const { refused, wanted, image, digest, build } = pulled;
  const name = "probe";
  if (wanted > 0 || refused === undefined) {
    const found = `a pull by ${way} of a name that this program always refuses was let through`;
    return { finding: problem(name, found, "pulls are NOT verified: see the other problems for the cause") };
  }
  const said = lastOf(refused.trim());
  const [, by, asked] =
    /deny policy\.probe: atcr-verify (.{1,100}?) was asked about (sha256:[0-9a-f]{64}),/.exec(refused) ?? [];
  if (asked === undefined || !refused.includes(image)) {
    const found = `a pull by ${way} failed, but not because this program refused it: ${said}`;
    return { finding: problem(name, found, "read that message: pulls fail, or another verifier refused first") };
  }
  if (by !== build) {
    const found = `a pull by ${way} was refused by another build of this program: ${said}`;
    return { finding: problem(name, found, "run: atcr-verify enable") };
  }
  const found = `a pull by ${way} was refused by this program, as expected`;
  // The name is random too, so this refusal is of this pull.
  const elsewhere = "; a mirror for all registries (certs.d/_default) answered instead of the doctor's registry";
  return { finding: ok(name, asked === digest ? found : `${found}${elsewhere}`), asked };
}

/** The end of containerd's message, which has the cause, from a word on; Go writes microseconds with a µ, which is not ASCII. */
export function lastOf(message: string): string {
  const text = message.replaceAll(/[µμ]/g, "u");
  return text.length <= MAX_SHOWN ? text : `... ${text.slice(-MAX_SHOWN).replace(/^\S*\s+/, "")}`;
}

async function findLogged(way: string, digest: string, reader: LogReader): Promise<CheckResult> {
  const name = "probe-log";
  if ("unread" in reader)
    return warning(
      name,
      `the pull by ${way} was not looked up in the decision log: ${reader.unread}`,
      `search the log for ${digest}`,
    );
  const advice = "check that the log can be written, and that containerd's environment names the same configuration";
  try {
    for (let waited = 0; waited <= LOGGED_WITHIN; waited += POLL) {
      if (await reader.isLogged(digest)) return ok(name, `the pull by ${way} is in the decision log`);
      await new Promise((done) => setTimeout(done, POLL));
    }
  } catch (error) {
    return problem(name, `the decision log cannot be read: ${(error as Error).message}`, advice);
  }
  return problem(name, `the pull by ${way} is not in the decision log`, advice);
}
