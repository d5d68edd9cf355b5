import { type Expected, judgeVector, type Vector } from "./judge-vector.ts";

/** A vector that was not judged as it must be. */
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

/** Judges known good and known bad evidence, each as of the time in it. @param judge what is tested */
export function selftest(vectors: readonly Vector[], judge: (vector: Vector) => Expected = judgeVector): Tested {
  const surprises = vectors.flatMap((vector) => {
    const [expected, found] = [inWords(vector.expected), tried(vector, judge)];
    return expected === found ? [] : [{ vector: vector.file, expected, found }];
  });
  const allowed = vectors.filter(({ expected }) => expected.outcome === "allow").length;
  return { allowed, refused: vectors.length - allowed, surprises };
}

function tried(vector: Vector, judge: (vector: Vector) => Expected): string {
  try {
    return inWords(judge(vector));
  } catch (error) {
    return String(error);
  }
}

function inWords({ outcome, because, code }: Expected): string {
  return [outcome, because, code].filter((word) => word !== undefined).join(" ");
}
