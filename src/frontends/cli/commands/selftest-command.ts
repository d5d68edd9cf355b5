import { BUILD } from "../../../core/version.ts";
import { selftest } from "../../../verifier/selftest/selftest.ts";
import { VECTORS } from "../../../verifier/selftest/vectors.ts";
import type { ProcessEdge } from "../../process/process-lifecycle.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";

/** Milliseconds: it takes a fraction of that, on the slowest of machines. */
const WHOLE = 60_000;

/** `atcr-verify selftest`: does this program, on this machine, refuse what it must, and allow what it must? */
export async function selftestCommand({ options }: LineOf<"selftest">, edge: ProcessEdge): Promise<never> {
  edge.setDeadline(WHOLE);
  const { allowed, refused, surprises } = await selftest(VECTORS);
  const isGood = allowed > 0 && refused > 0 && surprises.length === 0;
  const summary = `atcr-verify ${BUILD}: ${allowed} to allow, ${refused} to refuse: ${
    isGood ? "all as they must be" : VECTORS.length === 0 ? "this build has none" : `${surprises.length} are NOT`
  }`;
  const lines = surprises.map(({ vector, expected, found }) =>
    detailLine(`${vector}: expected ${expected}, found ${found}`),
  );
  const json = { build: BUILD, allowed, refused, surprises };
  return edge.print(
    options.output === "json" ? jsonText(json) : `${lines.join("")}${detailLine(summary)}`,
    isGood ? 0 : 1,
  );
}
