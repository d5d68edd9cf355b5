/**
 * An ad-hoc code signature: hashes of all pages of an executable, which macOS compares when it loads one. Without a right one
 * a program is killed: on arm64 always, on x64 where a signature is there and wrong. Sources: cs_blobs.h of XNU, and what
 * linkers write (flags CS_ADHOC and CS_LINKER_SIGNED, a code directory and nothing else).
 */
import { createHash } from "node:crypto";
import { type MachO, readMachO, segmentNamed, writeSignaturePlace } from "./mach-o.ts";

const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
/** With the place of the executable segment; what newer ones add is of no use here. */
const VERSION = 0x20400;
const ADHOC = 0x2;
const LINKER_SIGNED = 0x20000;
const SHA256 = 2;
const HASH_SIZE = 32;
/** 4 KiB on both architectures, of which the size of a segment in memory is a multiple as well. */
const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;
const MAIN_BINARY = 1n;
/** Bytes of a code directory before its identifier, and of a super blob with one entry. */
const DIRECTORY_HEADER = 88;
const SUPER_HEADER = 20;

/** A signature that is right. */
export interface CheckedSignature {
  readonly cpu: MachO["cpu"];
  readonly needs: string;
  readonly identifier: string;
  /** How many pages were hashed. */
  readonly pages: number;
}

/**
 * Recomputes the hash of every page.
 *
 * @param file a Mach-O executable
 * @throws Error that says what is wrong
 */
export function checkSignature(file: Buffer): CheckedSignature {
  const machO = readMachO(file);
  const { offset, size } = machO.signature;
  const blob = file.subarray(offset, offset + size);
  if (blob.readUInt32BE(0) !== SUPER_BLOB) throw new Error("has no super blob where its signature should be");
  const [length, count] = [blob.readUInt32BE(4), blob.readUInt32BE(8)];
  if (length !== size) throw new Error(`has a signature of ${length} bytes in ${size}`);
  // A requirement, an entitlement or a certificate would be another's, of the file as it was.
  if (count !== 1 || blob.readUInt32BE(12) !== 0)
    throw new Error(`has ${count} blobs in its signature, expected a code directory alone`);
  const start = blob.readUInt32BE(16);
  const directory = blob.subarray(start, start + blob.readUInt32BE(start + 4));
  if (directory.readUInt32BE(0) !== CODE_DIRECTORY || start + directory.length !== length)
    throw new Error("has no code directory that fills its signature");
  const [version, flags] = [directory.readUInt32BE(8), directory.readUInt32BE(12)];
  if (version !== VERSION) throw new Error(`has a code directory of version 0x${version.toString(16)}`);
  if (flags !== (ADHOC | LINKER_SIGNED)) throw new Error(`has a signature with the flags 0x${flags.toString(16)}`);
  const [hashOffset, identifierOffset] = [directory.readUInt32BE(16), directory.readUInt32BE(20)];
  const [special, pages, limit] = [directory.readUInt32BE(24), directory.readUInt32BE(28), directory.readUInt32BE(32)];
  if (directory.readUInt32BE(36) !== ((HASH_SIZE << 24) | (SHA256 << 16) | PAGE_BITS))
    throw new Error("has hashes that are not SHA-256 of 4 KiB");
  if (special !== 0) throw new Error(`has ${special} special slots, which belong to blobs that are not there`);
  if (limit !== offset) throw new Error(`has a signature of the first ${limit} bytes, expected ${offset}`);
  if (pages !== Math.ceil(limit / PAGE) || hashOffset + pages * HASH_SIZE !== directory.length)
    throw new Error(`has ${pages} hashes for ${limit} bytes`);
  const text = segmentNamed(machO, "__TEXT");
  const executable = [64, 72, 80].map((at) => directory.readBigUInt64BE(at));
  if (executable.join() !== [text.fileOffset, text.fileSize, MAIN_BINARY].join())
    throw new Error(`says of its executable segment ${executable.join(", ")}`);
  const last = segmentNamed(machO, "__LINKEDIT");
  if (last.fileOffset + last.fileSize !== file.length || last.memorySize < last.fileSize)
    throw new Error("has a last segment that does not hold the signature");
  const wrong = pageHashes(file, limit).filter(
    (hash, i) => !hash.equals(directory.subarray(hashOffset + i * HASH_SIZE, hashOffset + (i + 1) * HASH_SIZE)),
  );
  if (wrong.length > 0) throw new Error(`has ${wrong.length} of ${pages} pages whose hash is wrong`);
  const identifier = directory.toString("latin1", identifierOffset, directory.indexOf(0, identifierOffset));
  return { cpu: machO.cpu, needs: machO.needs, identifier, pages };
}

/**
 * The same program with a new ad-hoc signature in place of the one that it has.
 *
 * @param file a Mach-O executable with a signature, right or wrong, at its end
 */
export function signAdHoc(file: Buffer, identifier: string): Buffer {
  const machO = readMachO(file);
  const { offset } = machO.signature;
  const pages = Math.ceil(offset / PAGE);
  const name = Buffer.from(`${identifier}\0`);
  const hashOffset = DIRECTORY_HEADER + name.length;
  const length = SUPER_HEADER + hashOffset + pages * HASH_SIZE;
  const signed = Buffer.concat([file.subarray(0, offset), Buffer.alloc(length)]);
  // First, since the load commands are in the first page.
  writeSignaturePlace(signed, machO, length, PAGE);
  const blob = signed.subarray(offset);
  // One blob: the code directory, in slot 0, right behind.
  [SUPER_BLOB, length, 1, 0, SUPER_HEADER].forEach((value, i) => {
    blob.writeUInt32BE(value, i * 4);
  });
  const directory = blob.subarray(SUPER_HEADER);
  [
    CODE_DIRECTORY,
    directory.length,
    VERSION,
    ADHOC | LINKER_SIGNED,
    hashOffset,
    DIRECTORY_HEADER,
    0,
    pages,
    offset,
    (HASH_SIZE << 24) | (SHA256 << 16) | PAGE_BITS,
  ].forEach((value, i) => {
    directory.writeUInt32BE(value, i * 4);
  });
  const text = segmentNamed(machO, "__TEXT");
  directory.writeBigUInt64BE(BigInt(text.fileOffset), 64);
  directory.writeBigUInt64BE(BigInt(text.fileSize), 72);
  directory.writeBigUInt64BE(MAIN_BINARY, 80);
  name.copy(directory, DIRECTORY_HEADER);
  pageHashes(signed, offset).forEach((hash, i) => {
    hash.copy(directory, hashOffset + i * HASH_SIZE);
  });
  return signed;
}

/** @param limit bytes that are hashed; the last page is what is left of them */
function pageHashes(file: Buffer, limit: number): readonly Buffer[] {
  return Array.from({ length: Math.ceil(limit / PAGE) }, (_, i) =>
    createHash("sha256")
      .update(file.subarray(i * PAGE, Math.min((i + 1) * PAGE, limit)))
      .digest(),
  );
}
