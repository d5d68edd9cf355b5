/** Put in by packaging/build.ts; absent where the sources run as they are. */
declare const ATCR_VERIFY_VERSION: string | undefined;
declare const ATCR_VERIFY_BUILD: string | undefined;

/** The program's version, from package.json; `source` where it was not built. */
export const VERSION: string = typeof ATCR_VERIFY_VERSION === "string" ? ATCR_VERIFY_VERSION : "source";

/**
 * Names this very program: its version, and a hash of all that it was built from. What one program worked
 * out and remembered, no other takes for right.
 */
export const PROGRAM: string = `${VERSION} ${typeof ATCR_VERIFY_BUILD === "string" ? ATCR_VERIFY_BUILD : "source"}`;

/** The same for people: the version, and the beginning of the hash. */
export const BUILD: string = PROGRAM.slice(0, VERSION.length + 1 + 12);
