import { makeSealKey } from "../../../io/store/seal-key-files.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { textOfLines } from "./proof-lines.ts";

/** `atcr-verify bundle keygen` */
export async function bundleKeygen(
  { options: { out } }: LineOf<"bundle keygen">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const didKey = makeSealKey(out);
  const lines = [
    `secret key: ${out}; keep it where bundles are made, and nowhere else`,
    `public key: ${out}.pub, ${didKey}; copy it to each node and list its path in bundleKeys`,
  ];
  return lifecycle.print(textOfLines(lines, lifecycle.environment));
}
