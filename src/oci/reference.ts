import type { Digest } from "./digest.ts";

/** A full image name, parsed and canonical (spec 1.3). */
export interface ImageReference {
  /** Host with port if it is not 443: `atcr.io`, `localhost:5000`, `[::1]:5000`. */
  readonly host: string;
  /** Path of the repository on that host: `alice.example.com/app`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}
