import type { Vector } from "./vector.ts";

/** All of test/vectors, which packaging/build.ts puts here; none where the sources run as they are. */
export const VECTORS: readonly Vector[] = [];
