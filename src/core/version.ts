/** Inserted by packaging/build.ts; absent when running from source. */
declare const ATCR_VERIFY_VERSION: string | undefined;
declare const ATCR_VERIFY_BUILD: string | undefined;

/** The program's version, from package.json; `source` when running from source. */
export const VERSION: string = typeof ATCR_VERIFY_VERSION === "string" ? ATCR_VERIFY_VERSION : "source";

/**
 * Identifies this build: its version, and a hash of all its sources. Cached results of another build are not used.
 */
export const PROGRAM: string = `${VERSION} ${typeof ATCR_VERIFY_BUILD === "string" ? ATCR_VERIFY_BUILD : "source"}`;

/** The same for display: the version, and the first digits of the hash. */
export const BUILD: string = PROGRAM.slice(0, VERSION.length + 1 + 12);
