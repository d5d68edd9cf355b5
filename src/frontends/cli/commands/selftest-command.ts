import { BUILD } from "../../../core/version.ts";
import { selftest } from "../../../verifier/selftest/selftest.ts";
import { VECTORS } from "../../../verifier/selftest/vectors.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { folded, screenOf } from "../terminal/screen.ts";

/** Milliseconds; even a slow machine needs only a fraction. */
const COMMAND_TIMEOUT = 60_000;

/** `atcr-verify selftest`: whether this program, on this machine, allows and refuses known evidence as it must. */
export async function selftestCommand({ options }: LineOf<"selftest">, lifecycle: ProcessLifecycle): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const { allowed, refused, surprises } = await selftest(VECTORS);
  const isGood = allowed > 0 && refused > 0 && surprises.length === 0;
  const summary = `atcr-verify ${BUILD}: ${allowed} to allow, ${refused} to refuse: ${
    isGood
      ? "all as expected"
      : VECTORS.length === 0
        ? "this build contains no test vectors"
        : `${surprises.length} NOT as expected`
  }`;
  const lines = surprises.map(({ vector, expected, found }) =>
    detailLine(`${vector}: expected ${expected}, found ${found}`),
  );
  const json = { build: BUILD, allowed, refused, surprises };
  return lifecycle.print(
    options.output === "json"
      ? jsonText(json)
      : folded(`${lines.join("")}${detailLine(summary)}`, screenOf(lifecycle.environment)),
    isGood ? 0 : 1,
  );
}
