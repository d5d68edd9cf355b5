/**
 * The parts of a Mach-O executable that its code signature is about: load commands, segments and where the signature lies.
 * Source: mach-o/loader.h.
 */

/** 64 bits, little-endian: what arm64 and x86-64 have. */
const MAGIC = 0xfeedfacf;
const HEADER = 32;
const EXECUTE = 2;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const LC_BUILD_VERSION = 0x32;
const PLATFORM_MACOS = 1;
const CPUS: Readonly<Record<number, "x64" | "arm64">> = { 16777223: "x64", 16777228: "arm64" };

export interface Segment {
  readonly name: string;
  /** Where its load command is. */
  readonly at: number;
  readonly memorySize: number;
  readonly fileOffset: number;
  readonly fileSize: number;
}

export interface MachO {
  readonly cpu: "x64" | "arm64";
  /** The oldest macOS that loads it: `13.0`. */
  readonly needs: string;
  readonly segments: readonly Segment[];
  readonly signature: {
    /** Where the load command is, and what it says. */
    readonly at: number;
    readonly offset: number;
    readonly size: number;
  };
}

/**
 * @throws Error for anything but an executable of one architecture with a signature at its end, and one whose segments
 *   reach beyond it
 */
export function readMachO(file: Buffer): MachO {
  if (file.length < HEADER || file.readUInt32LE(0) !== MAGIC) throw new Error("is no 64-bit Mach-O file");
  const cpu = CPUS[file.readUInt32LE(4)];
  if (cpu === undefined) throw new Error(`is for the CPU type 0x${file.readUInt32LE(4).toString(16)}`);
  if (file.readUInt32LE(12) !== EXECUTE) throw new Error("is a Mach-O file, but no executable");
  const segments: Segment[] = [];
  let [needs, signature]: [string | undefined, MachO["signature"] | undefined] = [undefined, undefined];
  const end = HEADER + file.readUInt32LE(20);
  let at = HEADER;
  for (let count = file.readUInt32LE(16); count > 0; count--) {
    const [command, size] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    if (size < 8 || at + size > end) throw new Error(`has a load command of ${size} bytes at ${at}`);
    if (command === LC_SEGMENT_64) segments.push(segmentAt(file, at));
    else if (command === LC_BUILD_VERSION) {
      if (file.readUInt32LE(at + 8) !== PLATFORM_MACOS) throw new Error("is not for macOS");
      needs = versionText(file.readUInt32LE(at + 12));
    } else if (command === LC_CODE_SIGNATURE) {
      if (signature !== undefined) throw new Error("has two signatures");
      signature = { at, offset: file.readUInt32LE(at + 8), size: file.readUInt32LE(at + 12) };
    }
    at += size;
  }
  if (at !== end) throw new Error("has load commands that do not fill their place");
  if (signature === undefined || needs === undefined) throw new Error("has no signature, or no version of macOS");
  if (signature.offset + signature.size !== file.length) throw new Error("has a signature that is not at its end");
  for (const { name, fileOffset, fileSize } of segments)
    if (fileOffset + fileSize > file.length) throw new Error(`has a segment ${name} that reaches beyond its end`);
  return { cpu, needs, segments, signature };
}

/** @throws Error where there is none of this name */
export function segmentNamed({ segments }: MachO, name: string): Segment {
  const found = segments.find((segment) => segment.name === name);
  if (found === undefined) throw new Error(`has no segment ${name}`);
  return found;
}

/** Writes where the signature is, and how large the last segment is with it, into the load commands. */
export function writeSignaturePlace(file: Buffer, machO: MachO, signatureSize: number, pageSize: number): void {
  const { signature } = machO;
  const last = segmentNamed(machO, "__LINKEDIT");
  const size = signature.offset + signatureSize - last.fileOffset;
  file.writeUInt32LE(signatureSize, signature.at + 12);
  file.writeBigUInt64LE(BigInt(Math.ceil(size / pageSize) * pageSize), last.at + 32);
  file.writeBigUInt64LE(BigInt(size), last.at + 48);
}

function segmentAt(file: Buffer, at: number): Segment {
  return {
    name: file.toString("latin1", at + 8, at + 24).replace(/\0+$/, ""),
    at,
    memorySize: numberAt(file, at + 32),
    fileOffset: numberAt(file, at + 40),
    fileSize: numberAt(file, at + 48),
  };
}

function numberAt(file: Buffer, at: number): number {
  const value = Number(file.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw new Error(`has ${value} at ${at}`);
  return value;
}

/** Of 16, 8 and 8 bits. */
function versionText(version: number): string {
  return `${version >>> 16}.${(version >>> 8) & 0xff}`;
}
