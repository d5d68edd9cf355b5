import type { FoundMistakes, LocatedMistake } from "../../../core/encoding/mistakes.ts";
import { printable } from "../../../core/encoding/printable.ts";
import type { RejectionCode } from "../../../core/rejection.ts";
import { amount, jsonText, placeText } from "../../process/report.ts";
import { codeFrame } from "./code-frame.ts";
import { folded, painted, type Screen } from "./screen.ts";

/** A file, or files, that cannot be used because of mistakes. */
export interface Unusable extends FoundMistakes {
  /** Path of the file, or of the first one. */
  readonly path: string;
  readonly code: RejectionCode;
}

const CUT = "there may be more mistakes: correct these, and check again";

/** How many mistakes there are; then each with its line of the file, and what to do. */
export function mistakesText({ path, code, mistakes, isCut }: Unusable, screen: Screen): string {
  const count = `misconfigured ${code}: ${amount(mistakes.length, "mistake")} in ${path}${isCut ? `; ${CUT}` : ""}`;
  const headline = painted(folded(`${printable(count)}\n`, screen), "red", screen);
  const blocks = mistakes.map(({ place, sentence, advice }) => {
    const text = advice === undefined ? sentence : sentence.slice(0, sentence.lastIndexOf(`; ${advice}`));
    const what = folded(printable(`${placeText(place)}: ${text}`), screen);
    const todo = advice === undefined ? "" : `${folded(`  ${printable(advice)}`, screen, 0)}\n`;
    return `\n${what}\n${codeFrame(place, screen)}${todo}`;
  });
  return headline + blocks.join("");
}

/** The mistakes as JSON; its keys are part of the public interface (docs/reference/cli.md). */
export function mistakesJson({ path, code, mistakes, isCut }: Unusable, pathKey: "policy" | "config"): string {
  const [first] = mistakes;
  return jsonText({
    outcome: "misconfigured",
    code,
    reason: first === undefined ? "" : printable(`${placeText(first.place)}: ${first.sentence}`),
    ...(first && { file: first.place.file, line: first.place.line, column: first.place.column }),
    [pathKey]: path,
    complete: !isCut,
    mistakes: mistakes.map(jsonMistake),
  });
}

function jsonMistake({ place, key, found, expected, advice }: LocatedMistake) {
  const { file, line, column } = place;
  return {
    file,
    line,
    column,
    ...(key !== undefined && { key }),
    found,
    expected,
    ...(advice !== undefined && { advice }),
  };
}
