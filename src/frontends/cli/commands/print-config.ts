import { reject } from "../../../core/rejection.ts";
import { lookAtContainerd } from "../../../platform/containerd/inspect.ts";
import { thisNode } from "../../../platform/distribution/node-view.ts";
import { printedConfig } from "../../../platform/distribution/printed-config.ts";
import { concerned, DISTRIBUTIONS, type Recognised, recognise } from "../../../platform/distribution/recognise.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { LINK_DEADLINE } from "../terminal/link-report.ts";

/**
 * `atcr-verify enable --print-config`: the file and the lines that make kubelet ask verifiers. It changes nothing, and
 * what it prints is that file, so nothing is folded or coloured.
 */
export async function printConfig({ options }: LineOf<"enable">, lifecycle: ProcessLifecycle): Promise<never> {
  lifecycle.setDeadline(LINK_DEADLINE);
  assertAlone(options);
  const named = DISTRIBUTIONS.find(({ name }) => name === options.distribution);
  const recognised = named === undefined ? recognise(thisNode()) : [];
  const of =
    named === undefined
      ? concerned(
          recognised,
          await lookAtContainerd(
            lifecycle.environment,
            options.address ?? socketOf(recognised),
            options["containerd-config"],
          ),
        )
      : { distribution: named, containerd: undefined };
  const { distribution } = of;
  const printed = printedConfig(distribution, of.containerd);
  const report = {
    distribution: distribution.name,
    recognised: recognised.map(({ distribution: { name }, by }) => ({ name, by })),
    wasRun: distribution.wasRun,
    ...printed,
  };
  const text = printed.lines.map(detailLine).join("");
  return lifecycle.print(options.output === "json" ? jsonText(report) : text, printed.isOpen ? 0 : 1);
}

/** Of the distribution of Kubernetes, although another containerd may run as well; of a system any known one is tried. */
function socketOf([first]: readonly Recognised[]): string | undefined {
  return first?.distribution.kind === "kubernetes" ? first.distribution.socket : undefined;
}

/** @throws Rejection for an option that would be ignored */
function assertAlone(options: LineOf<"enable">["options"]): void {
  const { "bin-dir": binDir, force, containers, distribution, address, "containerd-config": config } = options;
  if (binDir !== undefined || force || containers)
    reject("input.malformed", "--print-config changes nothing: leave out --bin-dir, --force and --containers");
  if (distribution !== undefined && (address !== undefined || config !== undefined))
    reject("input.malformed", "--distribution is for another machine: leave out --address and --containerd-config");
}
