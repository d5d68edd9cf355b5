import { type Containerd, verifierSettings } from "../platform/containerd/inspect.ts";
import { type CheckResult, WHY_UNKNOWN, warning } from "./check.ts";

/** What is found in bin_dir. */
const OF_BIN_DIR = new Set(["bin-dir", "link", "entries"]);

/** Whether it is known where containerd looks for verifiers: its configuration was read, or it is not installed. */
export function isBinDirKnown(containerd: Containerd): boolean {
  const { version, daemon, program, config, isForbidden, isListening, denied, isConfigNamed } = containerd;
  if (isForbidden === true) return false;
  const { binDir } = verifierSettings(containerd);
  // A relative path depends on the folder that containerd is started in.
  if (binDir !== "" && !binDir.startsWith("/")) return false;
  if (config === undefined && (isListening || denied.length > 0 || isConfigNamed === true)) return false;
  if (version === undefined && daemon === undefined) return config !== undefined || program === undefined;
  return daemon !== undefined && config !== undefined;
}

/** Says, as a sentence, that it is not known. */
export function binDirUnknown({ address, version, program }: Containerd): string {
  const there = program === undefined ? "containerd may be on this node" : "containerd is installed";
  const who = version === undefined ? there : `containerd answers at ${address}`;
  return `${who}, but its bin_dir could not be determined`;
}

/**
 * What a pull has shown takes the place of what was found in containerd's default folder, which may not be its bin_dir.
 * Where the configuration was read, but is not the one that containerd runs with, it qualifies what was found.
 *
 * @param isRun whether a pull was refused by this program
 */
export function settleBinDir(
  findings: readonly CheckResult[],
  { config }: Containerd,
  isRun: boolean,
): readonly CheckResult[] {
  if (!isRun) return findings;
  if (config !== undefined) {
    // Without entries nothing is said of the link, only of the folder.
    const name = findings.some((finding) => finding.name === "link") ? "link" : "bin-dir";
    return findings.map((finding) => (finding.name === name ? ofNextStart(finding, "it ran this program") : finding));
  }
  const found =
    "containerd's bin_dir is not known, so it was not checked, but containerd ran this program in the probe";
  const settled = warning("bin-dir", found, WHY_UNKNOWN);
  return findings.flatMap((finding) => {
    if (!OF_BIN_DIR.has(finding.name)) return [finding];
    return finding.name === "bin-dir" && finding.level === "warning" ? [settled] : [];
  });
}

/**
 * A problem of the configuration that a pull has shown not to be there yet: it comes when containerd is next started.
 *
 * @param shown by the pull, as a clause
 */
export function ofNextStart(finding: CheckResult, shown: string): CheckResult {
  if (finding.level !== "problem") return finding;
  return { ...finding, found: `${finding.found}, once containerd runs with that configuration: in the probe ${shown}` };
}
