import { criBypasses } from "../platform/containerd/cri-bypasses.ts";
import { changedSince } from "../platform/containerd/daemon-files.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, importsOf, settingsOf } from "../platform/containerd/inspect.ts";
import { ofNextStart } from "./bin-dir-known.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { numbersOf } from "./containerd-checks.ts";
import type { CriShown } from "./probe.ts";

/** Of the finding that nothing is known of CRI. */
const UNKNOWN = "cri-unknown";

/** Whether CRI pulls through the transfer service, and so asks verifiers. */
export function checkCri(containerd: Containerd): readonly CheckResult[] {
  const { plugins, config, isListening, program } = containerd;
  const name = "cri";
  if (plugins !== undefined && plugins.get(CRI_IMAGES_PLUGIN) !== "ok") {
    return [ok(name, "CRI is not loaded: no kubelet pulls through this containerd")];
  }
  const version = containerd.version ?? containerd.installed;
  const [major = 0, minor = 0] = numbersOf(version ?? "");
  if (major === 2 && minor === 0) {
    const found = `CRI in containerd ${version} never asks verifiers: pulls by kubelet and crictl are not verified`;
    return [problem(name, found, "upgrade to containerd 2.1 or later")];
  }
  // That there is no containerd is reported by itself.
  if (version === undefined && !isListening && program === undefined) return [];
  if (config === undefined) return [unknown("containerd's configuration could not be read")];
  const bypasses = criBypasses(settingsOf(containerd, CRI_IMAGES_PLUGIN));
  if (bypasses.length > 0) {
    const where = `plugins."${CRI_IMAGES_PLUGIN}"`;
    return bypasses.map(({ setting, advice }) =>
      problem(name, `with ${setting} under ${where}, kubelet and crictl pull without asking verifiers`, advice),
    );
  }
  if (version === undefined) return [unknown("the version of containerd is not known")];
  const why = isListening ? whyNotSeen(containerd) : undefined;
  return [why === undefined ? ok(name, "no setting of CRI makes it pull without asking verifiers") : unknown(why)];
}

function unknown(why: string): CheckResult {
  const found = `whether kubelet's and crictl's pulls are verified is unknown: ${why}`;
  return warning(UNKNOWN, found, "a pull will tell: atcr-verify doctor --probe");
}

/** Why the settings that were read may not be those of the running containerd, as a clause. */
function whyNotSeen(containerd: Containerd): string | undefined {
  const { daemon, configPath } = containerd;
  if (daemon === undefined) return "its process was not found, so it may run with another configuration";
  if (configPath !== daemon.configPath) return `it was started with ${daemon.configPath}, not ${configPath}`;
  const isChanged = changedSince(daemon, configPath, importsOf(containerd)).length > 0;
  return isChanged ? "its configuration was changed after it was started" : undefined;
}

/** What a pull by CRI has shown takes the place of what could not be determined. */
export function settleCri(findings: readonly CheckResult[], cri: CriShown | undefined): readonly CheckResult[] {
  if (cri === undefined || cri === "not refused") return findings;
  const shown =
    cri === "refused"
      ? "the settings of CRI are not known, but its pull in the probe was verified"
      : "the settings of CRI are not known, but containerd does not serve it: no kubelet pulls through it";
  return findings.map((finding) => {
    if (finding.name === UNKNOWN) return ok("cri", shown);
    // The file that sets it was changed, or is not the one that containerd runs with.
    return finding.name === "cri" ? ofNextStart(finding, "its pull was verified") : finding;
  });
}
