import { DID_KEY, isTid, type Tid, tidTime } from "../../core/atproto/syntax.ts";
import { CLOCK_SKEW } from "../../core/encoding/time.ts";
import { addressOfPath } from "../../core/verify/remembered-noes.ts";
import type { Observation, SignerHistory } from "../../core/verify/signer-history.ts";
import { type NewNo, NO_NAMES, type NoEntry, newestNoes, newNoes, readNo } from "./signer-noes.ts";

/**
 * A signer history is a set of file names, each with one fact:
 *
 *   rev-TID               the repo was seen as of this revision
 *   operation-CID         this operation was valid in a log of the signer
 *   key-MULTIBASE-TIME    this key was in place, and seen first at TIME (milliseconds since 1970)
 *   no-ADDRESS-TID        as of this revision, the path with this SHA-256 had no usable record
 *   no-ADDRESS-TID-except-HEX   none but that of a tag that names the image sha256:HEX
 *   floor-TID             noes up to this revision were dropped
 *
 * So entries of parallel processes add up, in any order.
 */
const NAME = new RegExp(
  `^(?:${[
    "rev-(?<rev>[2-7a-z]{13})",
    // The one text of a CIDv1 of DAG-CBOR and SHA-256: fixed first bytes, zero pad bits at the end.
    "operation-(?<operation>bafyrei[a-h][a-z2-7]{50}[aeimquy4])",
    // All that a compressed k256 or p256 key can begin with, and as long; not decoded, which takes longer than all else here.
    ...NO_NAMES,
    "key-(?<multibase>z(?:Q3s[1-9A-HJ-NP-Za-km-z]{45}|Dn[1-9A-HJ-NP-Za-km-z]{46}))-(?<time>[1-9][0-9]{0,14})",
  ].join("|")})$`,
);

/** The content of a signer's folder. */
export interface SignerEntries {
  readonly memory: SignerHistory;
  /** Every revision, in ascending order. */
  readonly revs: readonly Tid[];
  /** Every no and floor, also those that a newer one supersedes. */
  readonly noes: readonly NoEntry[];
  /** Names that are not entries. */
  readonly damaged: readonly string[];
  /** Entries with a time in the future: ignored but not damaged, as this node's clock may be wrong. */
  readonly ahead: readonly string[];
}

/** @param now milliseconds since 1970 */
export function parseEntries(names: readonly string[], now: number): SignerEntries {
  const revs: Tid[] = [];
  const operations = new Set<string>();
  const keys = new Map<string, number>();
  const noes: NoEntry[] = [];
  const [damaged, ahead] = [[] as string[], [] as string[]];
  for (const name of names) {
    const groups = NAME.exec(name)?.groups ?? {};
    const { rev = "", operation, multibase, time } = groups;
    const no = readNo(name, groups);
    const at = isTid(rev) ? tidTime(rev) : Number(time ?? 0);
    // Whatever the clock says: a no refuses evidence from outside alone, and must not be lost where the clock is set back.
    if (no !== undefined) noes.push(no);
    else if (at > now + CLOCK_SKEW) ahead.push(name);
    else if (isTid(rev)) revs.push(rev);
    else if (operation !== undefined) operations.add(operation);
    else if (multibase === undefined) damaged.push(name);
    else {
      const key = `${DID_KEY}${multibase}`;
      keys.set(key, Math.min(at, keys.get(key) ?? at));
    }
  }
  revs.sort();
  const rev = revs.at(-1);
  const memory = { ...(rev !== undefined && { rev }), operations, keys, ...newestNoes(noes) };
  return { memory, revs, noes, damaged, ahead };
}

/**
 * The noes that an observation adds.
 *
 * @param now milliseconds since 1970; none ahead of it is remembered
 */
export function newNoEntries({ noes = [] }: Observation, known: SignerHistory, now: number): readonly NewNo[] {
  const shown = noes
    .filter(({ rev }) => tidTime(rev) <= now + CLOCK_SKEW)
    .map(({ path, ...no }) => ({ address: addressOfPath(path), ...no }));
  return newNoes(shown, known);
}

/**
 * The other entries that an observation adds.
 *
 * @param now milliseconds since 1970; a revision ahead of it would refuse every later commit, and is left out
 */
export function newEntryNames(
  { operations = [], key, revs, askedAt = Number.POSITIVE_INFINITY }: Observation,
  known: SignerHistory,
  now: number,
): string[] {
  // Not when it is written: a pull that was slow would make a key that was replaced meanwhile the newest.
  const seenAt = Math.trunc(Math.max(1, Math.min(askedAt, now)));
  const newest = revs
    .filter((rev) => tidTime(rev) <= now + CLOCK_SKEW)
    .toSorted()
    .at(-1);
  return [
    ...(newest !== undefined && (known.rev === undefined || newest > known.rev) ? [`rev-${newest}`] : []),
    ...operations.filter((cid) => !known.operations.has(cid)).map((cid) => `operation-${cid}`),
    ...(key !== undefined && !known.keys.has(key) ? [`key-${key.slice(DID_KEY.length)}-${seenAt}`] : []),
  ];
}
