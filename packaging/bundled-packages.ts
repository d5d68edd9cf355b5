import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A package of npm that the program is made of. */
export interface Bundled {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Of its tarball: `sha512-BASE64`. */
  readonly integrity: string;
  /** Text of its licence; empty where it brings none. */
  readonly text: string;
}

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** In place of these the build puts a stub (packaging/build.ts), so neither they nor what they need are in the program. */
const STUBBED: ReadonlySet<string> = new Set(["@atproto-labs/fetch-node"]);

/** All packages that the program's dependencies lead to, by name and version, as the lockfile has them. */
export function bundledPackages(root: string): readonly Bundled[] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const [found, seen] = [new Map<string, Bundled>(), new Set<string>()];
  const visit = (name: string, from: string): void => {
    if (STUBBED.has(name)) return;
    const path = resolveFrom(name, from, lock.packages);
    const locked = lock.packages[path];
    if (locked === undefined)
      throw new Error(`${name}, which ${from || "the program"} needs, is not in package-lock.json`);
    if (seen.has(path)) return;
    seen.add(path);
    const { version, license = "UNKNOWN", integrity = "" } = locked;
    // One and the same package may lie in several places.
    found.set(`${name}@${version}`, { name, version, license, integrity, text: licenseText(join(root, path)) });
    for (const needed of Object.keys(locked.dependencies ?? {})) visit(needed, path);
  };
  for (const name of Object.keys(lock.packages[""]?.dependencies ?? {})) visit(name, "");
  return [...found.values()].toSorted((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
}

/** As Node looks for it: in the nearest node_modules upwards. */
function resolveFrom(name: string, from: string, packages: Readonly<Record<string, Locked>>): string {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const path = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[path] !== undefined || at === "") return path;
  }
}

function licenseText(folder: string): string {
  const name =
    existsSync(folder) &&
    readdirSync(folder)
      .toSorted()
      .find((file) => /^licen[cs]e/i.test(file));
  return name ? readFileSync(join(folder, name), "utf8").trim() : "";
}

/** The package of Bun for a platform (linux-x64, linux-aarch64), which is the runtime in the program. */
export function bunPackage(root: string, platform: string): Omit<Bundled, "text"> {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const name = `@oven/bun-${platform}`;
  const locked = lock.packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json knows no ${name}`);
  const { version, license = "UNKNOWN", integrity = "" } = locked;
  return { name, version, license, integrity };
}
