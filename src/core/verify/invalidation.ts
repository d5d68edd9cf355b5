import { isTid, type Tid } from "../atproto/syntax.ts";

/**
 * Marks cached evidence as invalid, after an answer of a signer's services. Evidence at or before a mark is neither cached
 * nor used, so that a slow pull cannot bring it back. A mark consists only of a file name, so that parallel processes can
 * add marks without a lock:
 *
 *   all-TIME                  everything requested up to TIME (milliseconds since 1970)
 *   ADDRESS-TIME              the same for one digest, tag or handle
 *   ADDRESS-TIME-until-REV    its proofs up to this revision of the repo; the mark was made at TIME
 *   ADDRESS-TIME-before-REV   its proofs before this revision
 */
export interface Mark {
  /** 64 hex digits that identify a digest, a tag's record or a handle; absent: all evidence of the signer. */
  readonly address?: string;
  /** When it was made; milliseconds since 1970. */
  readonly time: number;
  /** Absent where nothing was proven: then `time` decides. */
  readonly rev?: Tid;
  /** Whether a proof of the revision `rev` itself is invalid too. */
  readonly isInclusive?: boolean;
}

/** The subject and age of a part of cached evidence. */
export interface Aged {
  readonly address?: string;
  /** When it was requested; milliseconds since 1970. */
  readonly askedAt: number;
  /** Revision of its proof; absent where it is not a proof of a repo, or not proven yet. */
  readonly rev?: Tid;
}

const NAME =
  /^(?:all|(?<address>[0-9a-f]{64}))-(?<time>[1-9][0-9]{0,14})(?:-(?<bound>until|before)-(?<rev>[2-7a-z]{13}))?$/;

/** @returns undefined where the name is not that of a mark */
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

/** Whether one of the marks invalidates it. */
export function isInvalidated(marks: readonly Mark[], { address, askedAt, rev }: Aged): boolean {
  return marks.some((mark) => {
    if (mark.address !== undefined && mark.address !== address) return false;
    if (mark.rev === undefined) return askedAt <= mark.time;
    return rev !== undefined && (rev < mark.rev || (mark.isInclusive === true && rev === mark.rev));
  });
}

/** Whether a mark invalidates everything that another one does; a rollback behind a revision is rejected separately. */
export function covers(mark: Mark, other: Mark): boolean {
  if (mark.address !== undefined && mark.address !== other.address) return false;
  if (mark.rev === undefined) return mark.time >= other.time;
  if (other.rev === undefined) return false;
  return mark.rev > other.rev || (mark.rev === other.rev && (mark.isInclusive === true || other.isInclusive !== true));
}
