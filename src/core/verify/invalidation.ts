import { isTid, type Tid } from "../atproto/syntax.ts";

/**
 * The end of cached evidence: what a signer's services said that makes it worthless. Evidence at or behind a mark
 * is neither cached nor used, whoever comes with it later: a pull that was slow, and asked before. A mark is a name
 * that says it all, so that marks of processes side by side add up:
 *
 *   all-TIME                  all that was asked for by TIME (milliseconds since 1970)
 *   ADDRESS-TIME              the same of one digest, tag or handle
 *   ADDRESS-TIME-until-REV    proofs of that up to this revision of the repo, made at TIME
 *   ADDRESS-TIME-before-REV   proofs of that before this revision
 */
export interface Mark {
  /** 64 hex digits that name a digest, a tag's record or a handle; absent: all of the subject. */
  readonly address?: string;
  /** When it was made; milliseconds since 1970. */
  readonly time: number;
  /** Absent where nothing was proven: then it ends what was asked for by `time`. */
  readonly rev?: Tid;
  /** Whether a proof of the very revision `rev` is over as well. */
  readonly isInclusive?: boolean;
}

/** What a part of cached evidence is about, and as of when. */
export interface Aged {
  readonly address?: string;
  /** When it was asked for; milliseconds since 1970. */
  readonly askedAt: number;
  /** Revision of its proof; absent where it is no proof of a repo, or not proven yet. */
  readonly rev?: Tid;
}

const NAME =
  /^(?:all|(?<address>[0-9a-f]{64}))-(?<time>[1-9][0-9]{0,14})(?:-(?<bound>until|before)-(?<rev>[2-7a-z]{13}))?$/;

/** @returns undefined where the name is none of a mark */
export function readMark(name: string): Mark | undefined {
  const { address, time = "", bound, rev = "" } = NAME.exec(name)?.groups ?? {};
  if (time === "" || (bound !== undefined && !isTid(rev))) return undefined;
  return {
    ...(address !== undefined && { address }),
    time: Number(time),
    ...(isTid(rev) && { rev, isInclusive: bound === "until" }),
  };
}

export function nameOfMark({ address = "all", time, rev, isInclusive }: Mark): string {
  const end = rev === undefined ? "" : `-${isInclusive === true ? "until" : "before"}-${rev}`;
  return `${address}-${Math.trunc(time)}${end}`;
}

/** Whether one of the marks ends it. */
export function isOver(marks: readonly Mark[], { address, askedAt, rev }: Aged): boolean {
  return marks.some((mark) => {
    if (mark.address !== undefined && mark.address !== address) return false;
    if (mark.rev === undefined) return askedAt <= mark.time;
    return rev !== undefined && (rev < mark.rev || (mark.isInclusive === true && rev === mark.rev));
  });
}

/** Whether a mark ends everything that another one ends: that a proof goes back behind a revision is refused by itself. */
export function covers(mark: Mark, other: Mark): boolean {
  if (mark.address !== undefined && mark.address !== other.address) return false;
  if (mark.rev === undefined) return mark.time >= other.time;
  if (other.rev === undefined) return false;
  return mark.rev > other.rev || (mark.rev === other.rev && (mark.isInclusive === true || other.isInclusive !== true));
}
