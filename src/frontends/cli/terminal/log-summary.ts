import { field, isJsonObject, type JsonObject } from "../../../core/encoding/json.ts";
import { printable } from "../../../core/encoding/printable.ts";
import type { RejectionCode } from "../../../core/rejection.ts";
import { detailLine } from "../../process/report.ts";
import { aligned, type Screen } from "./screen.ts";

/** Code of the doctor's own pulls. */
export const PROBE = "policy.probe" satisfies RejectionCode;
/** How the doctor's pulls are named together: each has a name of its own. */
const PROBES = "probes";
/** Most digests of one line: a tag that moves with each build has thousands. */
const MAX_DIGESTS = 100;
/** Digests in the text. */
const SHOWN = 3;

/** Decisions on one image with the same code. */
interface Summary {
  readonly image: string;
  readonly outcome: string;
  readonly code: string;
  /** The code without audit or break-glass. */
  readonly would?: string;
  readonly count: number;
  /** Time of the latest. */
  readonly last: string;
  /** The latest first, as far as they are known. */
  readonly digests: readonly string[];
  /** How many digests are left out. */
  readonly more?: number;
}

/** The worst first: refused, then let through in spite of it, then in order. */
const CODES: readonly string[] = ["break_glass", "audited", "exempt", "signed"];
const OUTCOMES: readonly string[] = ["internal", "misconfigured", "deny", "inconclusive"];

/** One line per image and code: the worst first, then the most frequent; the doctor's own pulls last, in one line. */
export function logSummary(decisions: readonly JsonObject[], isJson: boolean, screen: Screen): string {
  const summaries = summariesOf(decisions);
  if (isJson) return summaries.map((one) => `${printable(JSON.stringify(one))}\n`).join("");
  const isTable = screen.width !== Number.POSITIVE_INFINITY;
  const header = isTable && summaries.length > 0 ? [["count", "latest", "code", "image", "digest"]] : [];
  return aligned([...header, ...summaries.map((one) => rowOf(one, isTable))], screen)
    .flatMap((row) => row.split("\n"))
    .map(detailLine)
    .join("");
}

/** @param decisions the latest last */
function summariesOf(decisions: readonly JsonObject[]): readonly Summary[] {
  const found = new Map<string, Summary & { readonly all: Set<string> }>();
  for (const decision of decisions) {
    const text = (name: string): string => textIn(decision, name) ?? "-";
    const [code, outcome, last] = [text("code"), text("outcome"), text("time")];
    const image = code === PROBE ? PROBES : text("image");
    const instead = field(decision, "would");
    const would = isJsonObject(instead) ? textIn(instead, "code") : undefined;
    const key = JSON.stringify([image, code, would]);
    const { count = 0, all = new Set<string>() } = found.get(key) ?? {};
    const digest = textIn(decision, "digest");
    if (digest !== undefined && code !== PROBE) {
      all.delete(digest);
      all.add(digest);
    }
    const entry = { image, outcome, code, ...(would !== undefined && { would }), count: count + 1, last };
    found.set(key, { ...entry, digests: [], all });
  }
  return [...found.values()].toSorted(inOrder).map(({ all, ...summary }) => {
    const digests = [...all].toReversed();
    const more = digests.length - MAX_DIGESTS;
    return { ...summary, digests: digests.slice(0, MAX_DIGESTS), ...(more > 0 && { more }) };
  });
}

function inOrder(a: Summary, b: Summary): number {
  const [first, second] = [badness(a), badness(b)];
  return first - second || b.count - a.count || (a.last < b.last ? 1 : -1);
}

/** 0 is worst. */
function badness({ outcome, code }: Summary): number {
  if (code === PROBE) return Number.POSITIVE_INFINITY;
  const refused = OUTCOMES.indexOf(outcome);
  return refused === -1 ? OUTCOMES.length + CODES.indexOf(code) : refused;
}

function rowOf({ image, code, would, count, last, digests, more = 0 }: Summary, isTable: boolean): readonly string[] {
  const what = would === undefined ? code : `${code} (${would})`;
  const shown = digests.slice(0, SHOWN).map((digest) => (isTable ? shortOf(digest) : digest));
  const left = digests.length - shown.length + more;
  const which = [shown.join(", "), ...(left > 0 ? [`and ${left} more`] : [])].join(" ");
  return [String(count).padStart(6), last, what, image, which].map(printable);
}

/** As container tools abbreviate a digest. */
function shortOf(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

function textIn(decision: JsonObject, name: string): string | undefined {
  const value = field(decision, name);
  return typeof value === "string" ? value : undefined;
}
