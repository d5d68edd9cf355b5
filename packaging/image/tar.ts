/**
 * Tar archives as POSIX.1-2001 "ustar" has them: written so that the same entries give the same bytes, and read where
 * Debian's packages are taken apart.
 */

import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A member of an archive. Paths have no leading or trailing slash: `usr/bin/atcr-verify`. */
export type TarEntry =
  | { readonly path: string; readonly type: "file"; readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly type: "link"; readonly target: string }
  | { readonly path: string; readonly type: "folder"; readonly mode?: number };

const BLOCK = 512;
/** Fields of a header: where they start, and how long they are. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  target: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;
/** Where gzip's header names the system that compressed; 255 is "unknown" (RFC 1952 2.3.1). */
const GZIP_SYSTEM = 9;
const UNKNOWN_SYSTEM = 255;
const TYPES = { file: "0", link: "2", folder: "5" } as const;

/**
 * An archive of these entries and of the folders that they lie in, sorted by path, all owned by root.
 *
 * @param mtime seconds since 1970
 * @throws Error for two entries with one path, and for a path that is too long for the format
 */
export function writeTar(entries: readonly TarEntry[], mtime: number): Buffer {
  const all = new Map<string, TarEntry>();
  for (const entry of entries) {
    if (all.has(entry.path)) throw new Error(`${entry.path} is twice in the archive`);
    all.set(entry.path, entry);
  }
  for (const { path } of entries) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = path.slice(0, end);
      const there = all.get(folder);
      if (there === undefined) all.set(folder, { path: folder, type: "folder" });
      else if (there.type !== "folder") throw new Error(`${path} lies in ${folder}, which is no folder`);
    }
  }
  const sorted = [...all.values()].toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const parts = sorted.flatMap((entry) => {
    const header = headerOf(entry, mtime);
    return entry.type === "file" ? [header, entry.bytes, padding(entry.bytes.length)] : [header];
  });
  // Two empty blocks end an archive.
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** Compresses an archive; the header of gzip has neither a time nor the system. The rest depends on the pinned Node alone. */
export async function gzipped(archive: Uint8Array): Promise<Buffer> {
  const compressed = await promisify(gzip)(archive, { level: 6 });
  compressed[GZIP_SYSTEM] = UNKNOWN_SYSTEM;
  return compressed;
}

/**
 * Files, links and folders of an archive, with paths as {@link TarEntry} has them. Hard links become copies.
 *
 * @throws Error for other members, and for a broken archive
 */
export function readTar(archive: Uint8Array): readonly TarEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  const entries: TarEntry[] = [];
  const files = new Map<string, Uint8Array>();
  // GNU tar puts a name that is too long into a member of its own, before the one that it names.
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (checksumOf(header) !== octalIn(header, FIELD.checksum)) throw new Error(`the tar header at ${at} is damaged`);
    const size = octalIn(header, FIELD.size);
    const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
    if (content.length < size) throw new Error(`the tar member at ${at} is cut off`);
    at += BLOCK + size + padding(size).length;
    const type = textIn(header, FIELD.type);
    if (type === "L") {
      longName = textOf(content);
      continue;
    }
    const prefix = textIn(header, FIELD.magic).startsWith("ustar\0") ? textIn(header, FIELD.prefix) : "";
    const path = plainPath(longName ?? (prefix === "" ? "" : `${prefix}/`) + textIn(header, FIELD.name));
    longName = undefined;
    const target = textIn(header, FIELD.target);
    const mode = octalIn(header, FIELD.mode);
    if (type === "0" || type === "") {
      files.set(path, content);
      entries.push({ path, type: "file", bytes: content, mode });
    } else if (type === "1") {
      const of = files.get(plainPath(target));
      if (of === undefined) throw new Error(`${path} is a hard link to ${target}, which is not in the archive`);
      entries.push({ path, type: "file", bytes: of, mode });
    } else if (type === "2") entries.push({ path, type: "link", target });
    else if (type === "5") {
      if (path !== "") entries.push({ path, type: "folder", mode });
    } else throw new Error(`${path} is of the type ${JSON.stringify(type)}, which is not read`);
  }
  return entries;
}

function headerOf(entry: TarEntry, mtime: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const path = entry.type === "folder" ? `${entry.path}/` : entry.path;
  const [prefix, name] = splitPath(path);
  const put = ([start, length]: readonly [number, number], text: string): void => {
    if (Buffer.byteLength(text) > length) throw new Error(`${path}: ${text} is too long for a tar header`);
    header.write(text, start);
  };
  const octal = ([, length]: readonly [number, number], value: number): string =>
    `${value.toString(8).padStart(length - 1, "0")}\0`;
  const mode = entry.type === "link" ? 0o777 : (entry.mode ?? (entry.type === "folder" ? 0o755 : 0o644));
  put(FIELD.name, name);
  put(FIELD.mode, octal(FIELD.mode, mode));
  put(FIELD.uid, octal(FIELD.uid, 0));
  put(FIELD.gid, octal(FIELD.gid, 0));
  put(FIELD.size, octal(FIELD.size, entry.type === "file" ? entry.bytes.length : 0));
  put(FIELD.mtime, octal(FIELD.mtime, mtime));
  put(FIELD.type, TYPES[entry.type]);
  if (entry.type === "link") put(FIELD.target, entry.target);
  put(FIELD.magic, "ustar\x0000");
  put(FIELD.prefix, prefix);
  put(FIELD.checksum, `${checksumOf(header).toString(8).padStart(6, "0")}\0 `);
  return header;
}

/** Prefix and name, which a slash joins. */
function splitPath(path: string): readonly [string, string] {
  if (Buffer.byteLength(path) <= FIELD.name[1]) return ["", path];
  for (let slash = path.indexOf("/"); slash > 0 && slash < path.length - 1; slash = path.indexOf("/", slash + 1)) {
    if (Buffer.byteLength(path.slice(slash + 1)) <= FIELD.name[1]) return [path.slice(0, slash), path.slice(slash + 1)];
  }
  throw new Error(`${path} is too long for a tar header`);
}

/** The sum of all bytes, with spaces in place of the sum itself. */
function checksumOf(header: Uint8Array): number {
  const [start, length] = FIELD.checksum;
  return header.reduce((sum, byte, i) => sum + (i >= start && i < start + length ? 0x20 : byte), 0);
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

function textIn(header: Buffer, [start, length]: readonly [number, number]): string {
  return start === FIELD.magic[0]
    ? header.toString("latin1", start, start + length)
    : textOf(header.subarray(start, start + length));
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

function octalIn(header: Buffer, field: readonly [number, number]): number {
  const text = textIn(header, field).trim();
  if (!/^[0-7]+$/.test(text)) throw new Error(`${JSON.stringify(text)} in a tar header is no octal number`);
  return Number.parseInt(text, 8);
}

/** `./usr/lib/` is `usr/lib`. @throws Error for a path that leads out of the archive's folder */
function plainPath(path: string): string {
  const plain = path.replace(/^(?:\.\/)+/, "").replace(/\/+$/, "");
  if (plain.startsWith("/") || plain.split("/").includes("..")) throw new Error(`${path} leads out of the archive`);
  return plain === "." ? "" : plain;
}
