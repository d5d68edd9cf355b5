import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { hmacSha256 } from "../../core/encoding/sha256.ts";
import type { Warn } from "../../core/warning.ts";
import { isDenied } from "../fs/denied.ts";
import { hasCode } from "../fs/error-code.ts";
import type { Seal } from "../fs/file-cache.ts";
import { isInside } from "../fs/inside.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import type { Environment } from "../process/environment.ts";

const VARIABLE = "ATCR_VERIFY_CACHE_KEY";
/** In a folder of its own, since stateDir and cacheDir are copied to other nodes. */
const OF_ROOT = "/var/lib/atcr-verify-node/cache-key";
const OF_USER = "atcr-verify-node/cache-key";
/** Bytes of the key, and of a tag (HMAC-SHA-256). */
const LENGTH = 32;
const OTHERS = 0o077;
const MACHINE_ID = "/etc/machine-id";
/** What {@link makeKey} appends to the name of the key, where an error message quotes it. */
const TEMPORARY_NAME = /\.[0-9a-f-]{36}(?=')/;

/**
 * Where the key of the cache lies: named by ATCR_VERIFY_CACHE_KEY, else root's in /var/lib, and any other user's among what
 * their programs keep (XDG Base Directory Specification). Not named by the configuration, which is itself cached.
 *
 * @param uid whose
 * @returns undefined where there is no such place
 */
export function cacheKeyPath(environment: Environment, uid: number | undefined): string | undefined {
  const named = environment[VARIABLE];
  if (named !== undefined) return isAbsolute(named) ? named : undefined;
  if (uid === 0) return OF_ROOT;
  const { XDG_STATE_HOME: state, HOME: home } = environment;
  const own = [state, home && `${home}/.local/state`].find(isAbsolute);
  return own && `${own}/${OF_USER}`;
}

/**
 * The key by which this node knows what it has written into its cache (docs/decisions/0048-cache-of-this-node.md). It is
 * made when something is written for the first time. A file is its tag, and then the piece: the tag is the HMAC-SHA-256
 * of folder, name and piece, in which a bundle has each answer with its URL and when it was fetched.
 *
 * Without a key nothing is read or written, and a warning says why; nothing is thrown for it.
 */
export class CacheKey implements Seal {
  readonly length = LENGTH;
  /** Absolute; undefined where there is no place for one. */
  readonly path: string | undefined;
  readonly #warn: Warn;
  readonly #isNamed: boolean;
  #key: Uint8Array | undefined;
  /** A folder that the key must not lie in, and does. */
  #inside: string | undefined;

  /**
   * @param warn of `cache.no_key` and `cache.unusable`; the same may come again
   * @param known the same key, which may have been read before
   */
  constructor(environment: Environment, warn: Warn, known?: CacheKey) {
    this.path = cacheKeyPath(environment, process.geteuid?.());
    this.#warn = warn;
    this.#isNamed = environment[VARIABLE] !== undefined;
    if (known !== undefined) this.#key = known.#key;
  }

  /** Refuses the key if it is inside one of these folders, since a copy of the folder would include the key. */
  keepOutOf(...folders: readonly string[]): void {
    this.#inside ??= folders.find((folder) => isInside(folder, this.path));
  }

  /** Whether there is a key by now; it is made where it can be. */
  isThere(): boolean {
    return typeof this.#use(true) !== "string";
  }

  seal(place: string, entry: Uint8Array): Uint8Array | undefined {
    const key = this.#use(true);
    return typeof key === "string" ? undefined : Buffer.concat([tagOf(key, place, entry), entry]);
  }

  unseal(place: string, file: Uint8Array): Uint8Array | undefined {
    const key = this.#use(false);
    if (key === "unusable") return undefined;
    const entry = file.subarray(LENGTH);
    if (key !== "absent" && isSame(file.subarray(0, LENGTH), tagOf(key, place, entry))) return entry;
    // Not which file: of a cache that was copied, one warning is enough.
    const why = `files in the cache are not used, because they were not written there with this node's key, ${this.path}`;
    // A person's shell may lack what containerd's unit sets.
    const message = this.#isNamed ? why : `${why}; if containerd's environment sets ${VARIABLE}, set it here too`;
    this.#warn({ code: "cache.unusable", message });
    return undefined;
  }

  #use(mayMake: boolean): Uint8Array | "absent" | "unusable" {
    try {
      if (this.#inside !== undefined)
        throw new Error(`it is inside ${this.#inside} and would be copied together with it`);
      this.#key ??= keyAt(this.path, mayMake);
      return this.#key ?? "absent";
    } catch (error) {
      this.#warn({ code: "cache.no_key", message: unusable(this.path, error as Error) });
      return "unusable";
    }
  }
}

/** Why no cache is used, and what to do. */
function unusable(path: string | undefined, error: Error): string {
  // The temporary name is random. It is left out, so that repeated warnings are equal and printed once.
  const why = error.message.replace(TEMPORARY_NAME, "");
  const what = `the cache is not used without its key ${path ?? "(no path is known for it)"}: ${why}`;
  if (path === undefined) return `${what}; set ${VARIABLE} to an absolute path`;
  if (isDenied(error)) return `${what}; run this as root, or set ${VARIABLE} to a path of your own`;
  return `${what}; fix that, or remove the file (the next pull creates a new one), or set ${VARIABLE} to another path`;
}

/**
 * The key of this machine: of two that were cloned with the same file, neither uses what the other has written.
 *
 * @returns undefined where there is none and none is to be made
 * @throws Error where it cannot be used or made
 */
function keyAt(path: string | undefined, mayMake: boolean): Uint8Array | undefined {
  if (path === undefined) throw new Error("neither the environment nor this user's home names a path");
  const key = readKey(path) ?? (mayMake ? makeKey(path) : undefined);
  if (key === undefined) return undefined;
  return hmacSha256(key, toUtf8(`atcr-verify cache ${machineId()}`));
}

/** Empty where this machine has none (machine-id(5)). */
function machineId(): string {
  try {
    return readFileSync(MACHINE_ID, "latin1").trim();
  } catch {
    return "";
  }
}

/**
 * @returns undefined where there is none
 * @throws Error where anybody else may read or replace it
 */
export function readKey(path: string): Uint8Array | undefined {
  let file: number | undefined;
  try {
    assertPathTrusted(dirname(path));
    // Neither is a link followed, nor waited for the writer of a named pipe.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    const { uid, mode, size } = stats;
    if (!stats.isFile()) throw new Error("it is not a regular file");
    if (uid !== process.geteuid?.()) throw new Error(`it belongs to user ${uid}, expected the running user`);
    if ((mode & OTHERS) !== 0) throw new Error(`others may use it (mode ${(mode & 0o7777).toString(8)}), expected 600`);
    if (size !== LENGTH) throw new Error(`it has ${size} bytes, expected ${LENGTH}`);
    return readFileSync(file);
  } catch (error) {
    if (file === undefined && hasCode(error, "ENOENT")) return undefined;
    throw error;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Makes a key where there is none. It has its name once it is whole, and of several processes one gives it: link(2) fails
 * where the name is taken, as open(2) does with O_EXCL.
 *
 * @returns the one that is there now
 * @throws Error where that is impossible, or somebody else could replace it
 */
function makeKey(path: string): Uint8Array | undefined {
  makeFolders(dirname(path));
  const temporary = `${path}.${crypto.randomUUID()}`;
  const file = openSync(temporary, "wx", 0o600);
  try {
    writeSync(file, crypto.getRandomValues(new Uint8Array(LENGTH)));
    fsyncSync(file);
    linkSync(temporary, path);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    closeSync(file);
    rmSync(temporary, { force: true });
  }
  return readKey(path);
}

/**
 * Below what is there, which {@link readKey} has looked at. One by one: of a folder that cannot be made, as in /proc, Node's
 * own recursion never ends.
 */
function makeFolders(folder: string): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
  // Others may have been faster.
  assertPathTrusted(folder);
}

function tagOf(key: Uint8Array, place: string, entry: Uint8Array): Uint8Array {
  return hmacSha256(key, toUtf8(`${place}\0`), entry);
}

/** In a time that does not tell where they differ. */
function isSame(found: Uint8Array, expected: Uint8Array): boolean {
  if (found.length !== expected.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) difference |= (expected[i] ?? 0) ^ (found[i] ?? 0);
  return difference === 0;
}

function isAbsolute(path: string | undefined): path is string {
  return path?.startsWith("/") === true;
}
