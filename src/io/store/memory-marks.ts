import type { Did } from "../../core/atproto/syntax.ts";
import { CLOCK_SKEW } from "../../core/encoding/time.ts";
import { type Aged, covers, isInvalidated, type Mark } from "../../core/verify/invalidation.ts";
import type { HANDLES } from "./invalidation-marks.ts";

/**
 * Marks of one subject; at this bound the older half becomes one mark for all that was asked for by then. That makes the
 * signer's cached evidence useless, so authors of pods, who choose digests, must not reach it easily while marks count.
 */
const MAX_MARKS = 16_384;
/** Marks of all subjects: authors of pods choose digests and handles, and each may leave a mark at every signer. */
const MAX_ALL_MARKS = 32_768;
/** Subjects with marks; at this bound one mark for everybody takes the place of all. */
const MAX_SUBJECTS = 1024;
/**
 * How long a mark counts at least, in milliseconds. What it ends is removed from the cache at once, so it only has to
 * outlive the verifications that began before it; the longest deadline is a minute.
 */
const KEPT_FOR = 5 * 60_000;

type Subject = Did | typeof HANDLES;

/** The marks of one subject, by address; "" is for all of it. */
type Marks = Map<string, readonly Mark[]>;

/** Marks (core/verify/invalidation.ts) of a cache in memory, as io/store/invalidation-marks.ts has them on disk. */
export class MemoryMarks {
  readonly #subjects = new Map<Subject, Marks>();
  /** All that was asked for by then is over, of everybody; milliseconds since 1970. */
  #everybody = 0;

  #count = 0;

  /** Of the addresses with marks; each has few, as a mark replaces those that it covers. */
  get count(): number {
    return this.#count;
  }

  /** Whether marks end one of these parts. */
  areInvalidated(subject: Subject, parts: readonly Aged[]): boolean {
    if (parts.some(({ askedAt }) => askedAt <= this.#everybody)) return true;
    const marks = this.#subjects.get(subject);
    return marks !== undefined && parts.some((part) => isInvalidated(marksOn(marks, part.address), part));
  }

  /** Adds a mark, unless one that is there covers it. */
  end(subject: Subject, mark: Mark): void {
    const { address = "", time } = mark;
    const marks = this.#subjects.get(subject) ?? this.#newSubject(subject, time);
    if (marksOn(marks, address).some((one) => covers(one, mark))) return;
    const before = marks.size;
    const others = (marks.get(address) ?? []).filter((one) => !covers(mark, one));
    marks.set(address, [...others, mark]);
    this.#count += marks.size - before;
    if (marks.size > MAX_MARKS) this.#thin(marks, time);
    if (this.#count <= MAX_ALL_MARKS) return;
    for (const one of this.#subjects.values()) if (one.size > MAX_ALL_MARKS / MAX_SUBJECTS) this.#thin(one, time);
  }

  #thin(marks: Marks, time: number): void {
    const before = marks.size;
    thin(marks, time);
    this.#count += marks.size - before;
  }

  #newSubject(subject: Subject, time: number): Marks {
    if (this.#subjects.size >= MAX_SUBJECTS) this.#endAll(time);
    const marks: Marks = new Map();
    this.#subjects.set(subject, marks);
    return marks;
  }

  /** As late as the latest of those whose place it takes; what is asked for ahead of the clock counts for nothing. */
  #endAll(time: number): void {
    const all = this.#subjects.values().flatMap((marks) => [...marks.values()].flat());
    const latest = all.reduce((newest, one) => Math.max(newest, Math.min(one.time, time + CLOCK_SKEW)), time);
    this.#everybody = Math.max(this.#everybody, latest);
    this.#subjects.clear();
    this.#count = 0;
  }
}

/** Those of the address, and those of the whole subject. */
function marksOn(marks: Marks, address = ""): readonly Mark[] {
  const general = marks.get("") ?? [];
  return address === "" ? general : [...general, ...(marks.get(address) ?? [])];
}

/** Removes what counts no more; where most still do, one mark for all takes the place of the older half. */
function thin(marks: Marks, now: number): void {
  const all = [...marks.values()].flat().toSorted((a, b) => a.time - b.time);
  const current = all.filter(({ time }) => time >= now - KEPT_FOR);
  const kept = current.length * 2 > all.length ? halved(current) : current;
  marks.clear();
  for (const mark of kept) {
    const { address = "" } = mark;
    marks.set(address, [...(marks.get(address) ?? []), mark]);
  }
}

function halved(marks: readonly Mark[]): readonly Mark[] {
  const half = Math.ceil(marks.length / 2);
  const { time } = marks[half - 1] ?? { time: 0 };
  return [{ time }, ...marks.slice(half)];
}
