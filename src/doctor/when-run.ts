import { type Containerd, DEFAULT_BIN_DIR, verifierSettings } from "../platform/containerd/inspect.ts";
import { binDirUnknown, isBinDirKnown } from "./bin-dir-known.ts";
import type { CheckResult } from "./check.ts";

/**
 * When containerd runs the link: a clause. It is promised only where all was seen that decides on it.
 *
 * @param binDir absolute, where the link is
 * @param findings of this node, without those that are ok
 */
export function whenRun(binDir: string, containerd: Containerd, findings: readonly CheckResult[]): string {
  const runs = "containerd runs it at each pull";
  const problems = findings.filter(({ level, name }) => level === "problem" && !/^(?:policy|sandbox)/.test(name));
  const isOfCri = problems.length > 0 && problems.every(({ name }) => name === "cri");
  if (problems.length > 0 && !isOfCri) return `${runs} once the problems above are corrected`;
  const ofCri = isOfCri ? ", but at those of kubelet and crictl only once the problems above are corrected" : "";
  // Whatever its configuration says now, it may be started with another.
  if (containerd.version === undefined && !containerd.isListening) {
    const place = binDir === DEFAULT_BIN_DIR ? "the default" : binDir;
    return `${runs} if its bin_dir is ${place} (containerd was not reached)${ofCri}`;
  }
  const unknown = notSeen(containerd, findings);
  if (unknown.length > 0) return `whether containerd runs it at each pull is not known: ${unknown.join("; ")}${ofCri}`;
  const isThere = binDir === verifierSettings(containerd).binDir.replace(/(?<=.)\/+$/, "");
  return `${runs} ${isThere ? "from now on" : `if its bin_dir is ${binDir}`}${ofCri}`;
}

/** What would have to be known for a promise, as clauses. */
function notSeen(containerd: Containerd, findings: readonly CheckResult[]): readonly string[] {
  const { version, plugins } = containerd;
  return [
    version === undefined && "its version could not be determined",
    plugins === undefined && "it did not say whether its image verifier plugin is loaded",
    !isBinDirKnown(containerd) && binDirUnknown(containerd),
    ...findings.map(({ name, found }) => name === "cri-unknown" && found),
  ].filter((clause) => clause !== false);
}
