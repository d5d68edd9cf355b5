import { judgeVector } from "./judge-vector.ts";
import type { Expected, Vector } from "./vector.ts";

/** A vector whose result differs from the expected one. */
export interface Surprise {
  readonly vector: string;
  readonly expected: string;
  readonly found: string;
}

export interface Tested {
  readonly allowed: number;
  readonly refused: number;
  readonly surprises: readonly Surprise[];
}

type Judge = (vector: Vector) => Promise<Expected>;

/** Judges known good and known bad evidence, each at the time it states. @param judge the implementation under test */
export async function selftest(vectors: readonly Vector[], judge: Judge = judgeVector): Promise<Tested> {
  const surprises: Surprise[] = [];
  for (const vector of vectors) {
    const [expected, found] = [inWords(vector.expected), await tried(vector, judge)];
    if (expected !== found) surprises.push({ vector: vector.file, expected, found });
  }
  const allowed = vectors.filter(({ expected }) => expected.outcome === "allow").length;
  return { allowed, refused: vectors.length - allowed, surprises };
}

async function tried(vector: Vector, judge: Judge): Promise<string> {
  try {
    return inWords(await judge(vector));
  } catch (error) {
    return String(error);
  }
}

function inWords({ outcome, because, code }: Expected): string {
  return [outcome, because, code].filter((word) => word !== undefined).join(" ");
}
