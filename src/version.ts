/** Put in by packaging/build.ts; absent where the sources run as they are. */
declare const ATCR_VERIFY_VERSION: string | undefined;

/** The program's version, from package.json; `source` where it was not built. */
export const VERSION: string = typeof ATCR_VERIFY_VERSION === "string" ? ATCR_VERIFY_VERSION : "source";
