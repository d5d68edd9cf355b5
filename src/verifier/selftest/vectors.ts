import type { Vector } from "./vector.ts";

/** All of test/vectors, inserted by packaging/build.ts; empty when running from source. */
export const VECTORS: readonly Vector[] = [];
