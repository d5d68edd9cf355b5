import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import { writeNewFile } from "../fs/write-new-file.ts";

/** What follows the name of the key's file in that of its public half. */
const PUBLIC = ".pub";
/** Likewise in that of a file that says on which machine it was made: a key in an image of a disk would be every node's. */
const MACHINE = ".machine";
const MACHINE_ID = "/etc/machine-id";
const OTHERS = 0o077;
/** Bytes of each file. */
const MAX_KEY_FILE = 4096;
/** The user that the packages make; where the responder runs as another one, that one. */
const NEW_KEY =
  "make a new key as the responder's user: runuser -u atcr-verify-lookaside -- atcr-verify lookaside --new-key";
const ROOT = 0;

/** The key by which this node tells its own programs that an image was verified. */
export interface NodeKey {
  /** SHA-256 of the public key (SPKI, DER), in hex. */
  readonly fingerprint: string;
  /** @returns an ECDSA P-256 signature of the SHA-256 of the bytes, in ASN.1 DER */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

export function publicKeyPath(keyFile: string): string {
  return `${keyFile}${PUBLIC}`;
}

/**
 * Opens the key, and makes it where neither it nor its public half exists.
 *
 * @throws Rejection config.invalid
 */
export function openNodeKey(keyFile: string): NodeKey {
  const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  if (!isThere(keyFile)) {
    if (isThere(publicKeyPath(keyFile))) {
      const what = `the key ${keyFile} does not exist, but ${publicKeyPath(keyFile)} does, which policy.json may name`;
      unusable(`${what}; ${NEW_KEY}`);
    }
    makeNodeKey(keyFile);
  }
  return readNodeKey(keyFile);
}

/**
 * Makes a new pair, in place of one that is there. What the old one signed is not accepted any more. Only for the user
 * whose folder it is.
 *
 * @throws Rejection config.invalid
 */
export function makeNodeKey(keyFile: string): NodeKey {
  const owner = lstatSync(dirname(keyFile), { throwIfNoEntry: false })?.uid ?? ROOT;
  // Root's files there would be of no use to the responder.
  if (process.geteuid?.() === ROOT && owner !== ROOT) {
    unusable(`the folder of ${keyFile} belongs to user ${owner}, who must make the key; ${NEW_KEY}`);
  }
  if (lstatSync(dirname(keyFile), { throwIfNoEntry: false }) === undefined) {
    const start = "systemd makes the packages' one: systemctl start atcr-verify-lookaside.service";
    unusable(`the folder of ${keyFile} does not exist; ${start}; otherwise make it for the responder's user, mode 755`);
  }
  try {
    // As root, too, only in a folder that is root's: its owner could put something else in place of each file.
    assertPathTrusted(dirname(keyFile));
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeNewFile(`${keyFile}${MACHINE}`, `${machineOf()}\n`, 0o644, true);
    writeNewFile(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }).toString(), 0o600, true);
    writeNewFile(publicKeyPath(keyFile), pemOf(publicKey), 0o644, true);
  } catch (error) {
    unusable(`the key ${keyFile} cannot be made: ${(error as Error).message}`, error);
  }
  return readNodeKey(keyFile);
}

/**
 * Why a key must not be used on this machine.
 *
 * @returns a sentence without a full stop; undefined where it was made here
 */
export function whyForeign(keyFile: string): string | undefined {
  try {
    const isOwn = readKeyFile(`${keyFile}${MACHINE}`).text.trim() === machineOf();
    return isOwn ? undefined : `the key ${keyFile} was made on another machine (/etc/machine-id differs)`;
  } catch (error) {
    return `on which machine the key ${keyFile} was made is not known: ${(error as Error).message}`;
  }
}

function readNodeKey(keyFile: string): NodeKey {
  const key = readPrivateKey(keyFile);
  const foreign = whyForeign(keyFile);
  if (foreign !== undefined) unusable(`${foreign}; ${NEW_KEY}`);
  const publicKey = createPublicKey(key);
  const path = publicKeyPath(keyFile);
  if (readPublicKey(path) !== pemOf(publicKey)) unusable(`${path} is not the public key of ${keyFile}; ${NEW_KEY}`);
  return {
    fingerprint: sha256Hex(publicKey.export({ type: "spki", format: "der" })),
    sign: (bytes) => sign("sha256", bytes, key),
  };
}

function readPrivateKey(path: string): KeyObject {
  try {
    assertPathTrusted(path);
    const { text, mode } = readKeyFile(path);
    if ((mode & OTHERS) !== 0)
      unusable(`others may read the key ${path} (mode ${(mode & 0o7777).toString(8)}); ${NEW_KEY}`);
    const key = createPrivateKey(text);
    const { asymmetricKeyType, asymmetricKeyDetails } = key;
    if (asymmetricKeyType !== "ec" || asymmetricKeyDetails?.namedCurve !== "prime256v1")
      unusable(`the key ${path} is not one of ECDSA P-256; ${NEW_KEY}`);
    return key;
  } catch (error) {
    if (error instanceof Rejection) throw error;
    const why = isFileError(error) ? error.message : "it is no private key in PEM";
    return unusable(`the key ${path} cannot be used: ${why}; ${NEW_KEY}`, error);
  }
}

function readPublicKey(path: string): string {
  try {
    return readKeyFile(path).text;
  } catch (error) {
    return unusable(`the public key ${path} cannot be read: ${(error as Error).message}; ${NEW_KEY}`, error);
  }
}

/**
 * A file that its owner, the responder's user, can replace by anything while root's doctor reads it: a link, a pipe that
 * nobody writes to, an endless file.
 *
 * @throws Error of the file system
 */
export function readKeyFile(path: string): { readonly text: string; readonly mode: number } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size > MAX_KEY_FILE)
      throw new Error(`${path} is no regular file of at most ${MAX_KEY_FILE} bytes`);
    return { text: readFileSync(fd, "latin1"), mode: stats.mode };
  } finally {
    closeSync(fd);
  }
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && (!("code" in error) || "syscall" in error);
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

/** The machine's id must not be published (machine-id(5)), so its hash for this purpose stands for it. */
function machineOf(): string {
  return sha256Hex(toUtf8(`atcr-verify node key ${readFileSync(MACHINE_ID, "utf8").trim()}`));
}

function unusable(message: string, cause?: unknown): never {
  return reject("config.invalid", message, cause);
}
