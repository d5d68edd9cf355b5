import { criBypasses } from "../platform/containerd/cri-bypasses.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "../platform/containerd/inspect.ts";
import { fileThatSets } from "../platform/containerd/setting-file.ts";
import { printedConfig } from "../platform/distribution/printed-config.ts";
import { concerned, type Recognised } from "../platform/distribution/recognise.ts";
import { type CheckResult, note } from "./check.ts";

/** Names what this node is. Nothing is found on a node of no known distribution. */
export function checkDistribution(recognised: readonly Recognised[], containerd: Containerd): readonly CheckResult[] {
  if (recognised.length === 0) return [];
  const names = recognised.map(({ distribution, by }) => `${distribution.title} (${by})`).join(", and ");
  const of = concerned(recognised, containerd);
  const { distribution } = of;
  const { isOpen, lines, file } = printedConfig(distribution, of.containerd);
  const what = file === undefined ? "" : `; what makes kubelet ask verifiers belongs into ${file}`;
  const never = distribution.wasRun ? "" : "; this program was never run on the real one";
  return [note("distribution", `this node is ${names}${isOpen ? what : `. ${lines.join(" ")}`}${never}`)];
}

/** The findings of checkCri, with the file that sets what bypasses verifiers, and the one that undoes it for good. */
export function withFiles(
  findings: readonly CheckResult[],
  recognised: readonly Recognised[],
  containerd: Containerd,
): readonly CheckResult[] {
  const of = concerned(recognised, containerd);
  const { distribution } = of;
  const { isOpen, file, restart } = printedConfig(distribution, of.containerd);
  return findings.map((finding) => {
    const bypass = criBypasses(settingsOf(containerd, CRI_IMAGES_PLUGIN)).find(({ setting }) =>
      finding.found.startsWith(`with ${setting} `),
    );
    if (finding.name !== "cri" || finding.level !== "problem" || bypass === undefined) return finding;
    const setIn = fileThatSets(containerd, bypass.key);
    const { path, writtenBy } = distribution.config;
    const undone =
      setIn !== undefined && setIn === path && writtenBy !== undefined
        ? `, where a change does not last: ${writtenBy}`
        : "";
    const place = setIn === undefined ? "" : ` (set in ${setIn}${undone})`;
    const how =
      isOpen && file !== undefined
        ? `; for ${distribution.title}: in ${file}, then ${restart}; \`atcr-verify enable --print-config\` prints the lines`
        : "";
    return { ...finding, advice: `${finding.advice ?? ""}${place}${how}` };
  });
}
