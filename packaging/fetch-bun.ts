/**
 * Brings the Bun of another platform, in the version and with the hash that package-lock.json pins:
 * `node packaging/fetch-bun.ts linux-aarch64 build/bun`. Prints the path of its program.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const [platform = "", target = "build/bun"] = process.argv.slice(2);
const name = `@oven/bun-${platform}`;
const lock = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8")) as {
  packages: Readonly<Record<string, { version: string; integrity: string } | undefined>>;
};
const pinned = lock.packages[`node_modules/${name}`];
if (pinned === undefined) throw new Error(`package-lock.json knows no ${name}`);

const folder = resolve(target, `${platform}-${pinned.version}`);
const program = join(folder, "package/bin/bun");
if (!existsSync(program)) {
  const work = `${folder}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const packed = execFileSync("npm", ["pack", `${name}@${pinned.version}`, "--silent", "--pack-destination", work], {
    encoding: "utf8",
  });
  const tarball = join(work, packed.trim().split("\n").at(-1) ?? "");
  const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (integrity !== pinned.integrity)
    throw new Error(`${name} has the hash ${integrity}, package-lock.json pins ${pinned.integrity}`);
  execFileSync("tar", ["-xzf", tarball, "-C", work]);
  rmSync(tarball);
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
}
console.log(program);
