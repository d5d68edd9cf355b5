/**
 * Signs a program for macOS where its signature is wrong, and packs it with what belongs to it:
 * `node packaging/macos/package-macos.ts arm64|x64 [FOLDER]`. Of dist/macos/CPU it makes atcr-verify-VERSION-macos-CPU.tar.gz in
 * FOLDER (dist). The same programs and SOURCE_DATE_EPOCH give the same bytes.
 *
 * Bun signs what it compiles for arm64. For x64 it leaves the signature of the runtime, which is wrong for the program.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packArchive } from "../release/archive.ts";
import { type CheckedSignature, checkSignature, signAdHoc } from "./code-signature.ts";

const ROOT = join(import.meta.dirname, "../..");
const [cpu = "", to = join(ROOT, "dist")] = process.argv.slice(2);
const epoch = Number(process.env["SOURCE_DATE_EPOCH"] || Number.NaN);
if (cpu !== "arm64" && cpu !== "x64") throw new Error("usage: node packaging/macos/package-macos.ts arm64|x64");
if (!Number.isSafeInteger(epoch))
  throw new Error("SOURCE_DATE_EPOCH is not set: the time of all files, seconds since 1970");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

const folder = join(ROOT, "dist/macos", cpu);
const compiled = readFileSync(join(folder, "atcr-verify"));
const program = isRight(compiled) ? compiled : signAdHoc(compiled, "atcr-verify");
const { needs, pages, cpu: found }: CheckedSignature = checkSignature(program);
if (found !== cpu) throw new Error(`${folder}/atcr-verify is for ${found}`);

const name = `atcr-verify-${version}-macos-${cpu}`;
const of = { name, program, sbom: join(folder, "atcr-verify.cdx.json"), more: [], epoch };
const target = join(to, `${name}.tar.gz`);
writeFileSync(`${target}.new`, await packArchive(ROOT, of));
renameSync(`${target}.new`, target);
console.log(
  `${name}: ${program === compiled ? "the signature is right" : "signed anew"}, ${pages} pages; needs macOS ${needs}`,
);

function isRight(file: Buffer): boolean {
  try {
    checkSignature(file);
    return true;
  } catch {
    return false;
  }
}
