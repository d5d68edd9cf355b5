/** cacheDir unless configured; in a file of its own, for it is known before anything else is loaded. */
export const DEFAULT_CACHE_DIR = "/var/cache/atcr-verify";
