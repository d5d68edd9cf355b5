import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTar } from "../../packaging/image/tar.ts";
import { checkSignature, signAdHoc } from "../../packaging/macos/code-signature.ts";
import { readMachO, segmentNamed } from "../../packaging/macos/mach-o.ts";
import { packageFile, VERSION } from "../support/packages.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const CPUS = ["arm64", "x64"] as const;
const nameOf = (cpu: string) => `atcr-verify-${VERSION}-macos-${cpu}`;
const archiveOf = (cpu: string) => packageFile(`${nameOf(cpu)}.tar.gz`);
/** As Bun leaves it. */
const compiledOf = (cpu: string) => packageFile(`macos/${cpu}/atcr-verify`);
const missing = CPUS.map(archiveOf).filter((path) => !existsSync(path));
const made = requirement(
  "the programs for macOS",
  missing.length === 0 ? undefined : `run make macos: ${missing.join(", ")} missing`,
);

const opened = new Map<string, ReadonlyMap<string, Uint8Array>>();
/** The files of an archive, by path. */
function filesOf(cpu: string): ReadonlyMap<string, Uint8Array> {
  const files =
    opened.get(cpu) ??
    new Map(
      readTar(gunzipSync(readFileSync(archiveOf(cpu)))).flatMap((entry) =>
        entry.type === "file" ? [[entry.path, entry.bytes]] : [],
      ),
    );
  opened.set(cpu, files);
  return files;
}
const programOf = (cpu: string): Buffer => Buffer.from(filesOf(cpu).get(`${nameOf(cpu)}/atcr-verify`) ?? []);

// Nothing here runs on macOS: these tests show that the files are what its loader asks for, not that it starts them.
describe.runIf(made).each(CPUS)("the program for macOS on %s", (cpu) => {
  it("has a signature in which the hash of every page is right", () => {
    const program = programOf(cpu);
    const { pages, ...rest } = checkSignature(program);
    expect(rest).toEqual({ cpu, needs: "13.0", identifier: cpu === "arm64" ? "a.out" : "atcr-verify" });
    expect(pages).toBe(Math.ceil(readMachO(program).signature.offset / 4096));
    expect(program.includes(`"${VERSION}"`)).toBe(true);
  });

  it("is found to be wrong once a byte of it is another", () => {
    const program = programOf(cpu);
    const machO = readMachO(program);
    const { offset } = machO.signature;
    const [text, bun] = [segmentNamed(machO, "__TEXT"), segmentNamed(machO, "__BUN")];
    const places = [
      // The header's flags and a load command.
      24,
      machO.signature.at + 12,
      text.fileOffset + text.fileSize - 1,
      bun.fileOffset + Math.floor(bun.fileSize / 2),
      offset - 1,
      // In the signature: its length, its flags, its special slots, its limit, the first and the last hash.
      offset + 7,
      offset + 20 + 15,
      offset + 20 + 27,
      offset + 20 + 35,
      offset + 20 + 88 + 40,
      offset + program.readUInt32BE(offset + 4) - 1,
    ];
    for (const place of places) {
      program[place] = (program[place] ?? 0) ^ 1;
      expect([place, fault(program)]).toEqual([place, expect.stringMatching(/^has /)]);
      program[place] = (program[place] ?? 0) ^ 1;
    }
    expect(fault(program.subarray(0, -1))).toBe("has a signature that is not at its end");
    expect(fault(Buffer.concat([program, Buffer.alloc(1)]))).toBe("has a signature that is not at its end");
    expect(fault(program)).toBe("");
  }, 120_000);

  it("is found to be wrong where all hashes are right, but not of all of it", () => {
    const program = programOf(cpu);
    expect(fault(resized(program, 0))).toBe("");
    // The last page is left out.
    expect(fault(resized(program, -32))).toMatch(/^has a signature of the first \d+ bytes, expected \d+$/);
    // Bytes behind the signature.
    expect(fault(resized(program, 16))).toMatch(/^has a signature of \d+ bytes in \d+$/);
  });

  it("comes with its licence, its notices and an SBOM of the very runtime", () => {
    const files = filesOf(cpu);
    const below = [...files.keys()].map((path) => path.slice(nameOf(cpu).length + 1));
    expect(below).toEqual(
      expect.arrayContaining([
        "LICENSE",
        "THIRD-PARTY-NOTICES.txt",
        "man/atcr-verify.8",
        "completions/_atcr-verify",
        "trust-policy.schema.json",
        "verify-result.schema.json",
      ]),
    );
    const sbom = Buffer.from(files.get(`${nameOf(cpu)}/atcr-verify.cdx.json`) ?? []).toString();
    const { components } = JSON.parse(sbom) as { components: readonly { name: string }[] };
    expect(components[0]?.name).toBe(`@oven/bun-darwin-${cpu === "arm64" ? "aarch64" : "x64"}`);
  });

  it("is the same bytes when it is compiled and packed again, elsewhere", async () => {
    const folder = makeTemporaryDirectory("macos-again");
    try {
      // Of the first member.
      const epoch = Number.parseInt(gunzipSync(readFileSync(archiveOf(cpu))).toString("latin1", 136, 147), 8);
      const env = {
        PATH: process.env["PATH"] ?? "",
        HOME: folder,
        TZ: "Asia/Tokyo",
        LANG: "C",
        SOURCE_DATE_EPOCH: String(epoch),
      };
      const packed = await run("node", [join(ROOT, "packaging/macos/package-macos.ts"), cpu, folder], {
        cwd: folder,
        env,
      });
      expect([packed.code, packed.stderr]).toEqual([0, ""]);
      expect(readFileSync(join(folder, `${nameOf(cpu)}.tar.gz`)).equals(readFileSync(archiveOf(cpu)))).toBe(true);
      const runtime = await run(
        "node",
        ["packaging/fetch-bun.ts", `darwin-${cpu === "arm64" ? "aarch64" : "x64"}`, "build/bun"],
        { cwd: ROOT },
      );
      const args = [
        "--target",
        `bun-darwin-${cpu}`,
        "--runtime",
        runtime.stdout.trim(),
        "--outfile",
        join(folder, "atcr-verify"),
      ];
      const compiled = await run("bun", ["packaging/build.ts", ...args], { cwd: ROOT, env });
      expect([compiled.code, compiled.stderr]).toEqual([0, ""]);
      expect(readFileSync(join(folder, "atcr-verify")).equals(readFileSync(compiledOf(cpu)))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.runIf(made)("the signer", () => {
  it("writes byte for byte what Bun writes for arm64", () => {
    const compiled = readFileSync(compiledOf("arm64"));
    expect(signAdHoc(compiled, "a.out").equals(compiled)).toBe(true);
  });

  it("is needed for x64, where the runtime's signature is left behind, and changes nothing but that", () => {
    const compiled = readFileSync(compiledOf("x64"));
    expect(fault(compiled)).toMatch(/^has /);
    const signed = programOf("x64");
    const { offset, at } = readMachO(compiled).signature;
    const { at: linkEdit } = segmentNamed(readMachO(compiled), "__LINKEDIT");
    const others = (file: Buffer) => [
      file.subarray(0, linkEdit + 32),
      file.subarray(linkEdit + 72, at + 12),
      file.subarray(at + 16, offset),
    ];
    expect(others(signed).map((part, i) => part.equals(others(compiled)[i] ?? Buffer.alloc(0)))).toEqual([
      true,
      true,
      true,
    ]);
  });
});

/** The program's own sources, run by Node here as if this were macOS: without /proc, and as Node names that system. */
describe.runIf(requirement("the program without /proc", missingRoot("/proc is hidden by a mount")))(
  "the program where there is no /proc",
  () => {
    let folder: string;
    let policy: string;
    beforeAll(() => {
      folder = makeTemporaryDirectory("without-proc");
      policy = join(folder, "trust-policy.yaml");
      const rule = (name: string, action: string) =>
        `  - name: ${name}\n    scope: registry.example.com/${name}/**\n    action: ${action}\n`;
      writeFileSync(policy, `version: 1\ndefault: deny\npolicies:\n${rule("own", "allow")}${rule("bad", "deny")}`);
      writeFileSync(join(folder, "platform.mjs"), 'Object.defineProperty(process, "platform", { value: "darwin" });\n');
    });
    afterAll(() => rmSync(folder, { recursive: true }));
    const ask = (...args: readonly string[]) => {
      const script = 'mount -t tmpfs none /proc && [ ! -e /proc/self ] && exec "$@"';
      const node = [
        process.execPath,
        "--import",
        join(folder, "platform.mjs"),
        "--no-warnings",
        join(ROOT, "src/main.ts"),
      ];
      const env = { PATH: "/usr/bin:/bin", HOME: folder };
      return run("unshare", ["--mount", "sh", "-c", script, "sh", ...node, ...args], { env });
    };
    const image = (name: string) => `registry.example.com/${name}/app@sha256:${"1".repeat(64)}`;

    it("verifies, and explains and checks a policy", async () => {
      const [allowed, denied] = [
        await ask("verify", image("own"), "--policy", policy),
        await ask("verify", image("bad"), "--policy", policy),
      ];
      expect([allowed.code, allowed.stdout, allowed.stderr]).toEqual([0, expect.stringMatching(/^allow exempt/), ""]);
      expect([denied.code, denied.stdout]).toEqual([1, expect.stringMatching(/^deny policy\.denied/)]);
      const explained = await ask("policy", "explain", image("own"), "--policy", policy);
      expect([explained.code, explained.stderr]).toEqual([0, ""]);
      const checked = await ask("policy", "check", "--offline", "--no-sandbox", policy);
      expect([checked.code, checked.stdout]).toEqual([0, expect.stringContaining("0 errors")]);
    });

    it.each([["doctor"], ["enable"], ["disable"], ["images"], ["break-glass"]])(
      "says that it is Linux only: %s",
      async (name) => {
        const { code, stdout, stderr } = await ask(name);
        expect([code, stdout + stderr]).toEqual([3, expect.stringContaining(`${name} is Linux only`)]);
        const help = await ask("help", name);
        expect([help.code, help.stdout]).toEqual([0, expect.stringMatching(/Linux\s+only\b/)]);
      },
    );
  },
);

/**
 * A program whose signature is larger or smaller: where it is smaller by a hash, its last page is not signed. Everything that
 * says how large things are is right, and so are the hashes that are left.
 */
function resized(program: Buffer, by: number): Buffer {
  const machO = readMachO(program);
  const { offset, at, size } = machO.signature;
  const { at: last, fileSize } = segmentNamed(machO, "__LINKEDIT");
  const other = Buffer.concat([program, Buffer.alloc(Math.max(0, by))]).subarray(0, program.length + by);
  other.writeUInt32LE(size + by, at + 12);
  other.writeBigUInt64LE(BigInt(fileSize + by), last + 48);
  const directory = other.subarray(offset + 20);
  if (by < 0) {
    other.writeUInt32BE(size + by, offset + 4);
    directory.writeUInt32BE(directory.readUInt32BE(4) + by, 4);
    const pages = directory.readUInt32BE(28) - 1;
    directory.writeUInt32BE(pages, 28);
    directory.writeUInt32BE(pages * 4096, 32);
  }
  createHash("sha256").update(other.subarray(0, 4096)).digest().copy(directory, directory.readUInt32BE(16));
  return other;
}

/** What is wrong with a signature; empty if it is right. */
function fault(program: Buffer): string {
  try {
    checkSignature(program);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
