import type { Config } from "../core/config/config.ts";
import { formatDateTime } from "../core/encoding/time.ts";
import type { TrustPolicy } from "../core/policy/policy.ts";
import { Rejection } from "../core/rejection.ts";
import { type ImportedEnd, importedEnds } from "../core/verify/piece-end.ts";
import { isDenied } from "../io/fs/denied.ts";
import { listBundleDir } from "../io/store/bundle-dir-listing.ts";
import { readBundleKeys } from "../io/store/seal-key-files.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

const DIR = "bundle-dir";
const KEYS = "bundle-keys";
const ENDS = "bundle-ends";
/** Pieces that a sentence names. */
const MAX_NAMED = 5;

/**
 * Whether what was imported can be used, and until when.
 *
 * @param policy undefined where it cannot be read, which another check reports
 * @param now milliseconds since 1970
 */
export function checkBundles(
  { bundleDir, bundleKeys }: Pick<Config, "bundleDir" | "bundleKeys">,
  policy: TrustPolicy | undefined,
  now: number,
): readonly CheckResult[] {
  const ofKeys = checkKeys(bundleKeys);
  const listing = listBundleDir(bundleDir);
  if (listing === undefined) return [...ofKeys.findings, ok(DIR, `nothing was imported: there is no ${bundleDir}`)];
  const [first] = listing.unusable;
  const more = listing.unusable.length > 1 ? `; and ${listing.unusable.length - 1} more` : "";
  const ofDir =
    first === undefined
      ? ok(DIR, `${bundleDir} can be used`)
      : problem(DIR, `${first}${more}: it does not count`, "correct its owner and mode, or import its bundle again");
  const ends = policy === undefined ? [] : importedEnds(listing.pieces, policy, ofKeys.keys);
  return [...ofKeys.findings, ofDir, ...(policy === undefined ? [] : [checkEnds(ends, now)])];
}

function checkKeys(paths: readonly string[]): {
  readonly keys: readonly string[];
  readonly findings: readonly CheckResult[];
} {
  if (paths.length === 0) return { keys: [], findings: [] };
  try {
    const keys = readBundleKeys(paths);
    return { keys, findings: [ok(KEYS, `the keys of bundleKeys can be used: ${keys.length}`)] };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    if (isDenied(error))
      return { keys: [], findings: [unseen(KEYS, "whether the keys can be used", paths.join(", "))] };
    const advice = "correct the file, or remove it from bundleKeys: until then no seal counts";
    return { keys: [], findings: [problem(KEYS, error.message, advice)] };
  }
}

function checkEnds(ends: readonly ImportedEnd[], now: number): CheckResult {
  const of = (state: string) => ends.filter((end) => end.stateAt(now) === state);
  const [ended, soon] = [of("ended"), of("ends soon")];
  const advice = "import a newer bundle";
  if (ended.length > 0) return warning(ENDS, `imported evidence has ended: ${named(ended)}`, advice);
  if (soon.length > 0) {
    return warning(
      ENDS,
      `imported evidence ends soon, with a fifth or less of its window left: ${named(soon)}`,
      advice,
    );
  }
  const next = ends.flatMap(({ at }) => at ?? []).toSorted((a, b) => a - b)[0];
  if (next === undefined) return ok(ENDS, "no rule with offlineFor uses imported evidence");
  return ok(ENDS, `imported evidence counts until ${formatDateTime(next)} at least`);
}

function named(ends: readonly ImportedEnd[]): string {
  const shown = ends
    .slice(0, MAX_NAMED)
    .map(({ name, digest, at }) => `${name}@${digest} (${formatDateTime(at ?? 0)})`);
  const more = ends.length > MAX_NAMED ? `, and ${ends.length - MAX_NAMED} more` : "";
  return `${shown.join(", ")}${more}`;
}
