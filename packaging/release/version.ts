/**
 * The version of package.json as deb and rpm write it: `0.2.0-rc.1` is `0.2.0~rc.1`, which both sort before `0.2.0`.
 * With `-` it would be newer than the release. Run as a program it prints that of package.json.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Numbers, and at most one mark of what is not the release yet. A second `-` would end a deb's version. */
const VERSION = /^((?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2})(?:-((?:alpha|beta|rc)\.(?:0|[1-9]\d*)))?$/;

/** @throws Error for a version that deb, rpm and npm would not sort alike */
export function packageVersion(version: string): string {
  const [, numbers, mark] = VERSION.exec(version) ?? [];
  if (numbers === undefined)
    throw new Error(`package.json: the version is ${version}; expected X.Y.Z, or X.Y.Z- with alpha.N, beta.N or rc.N`);
  return mark === undefined ? numbers : `${numbers}~${mark}`;
}

/** The folder of apt and dnf that offers a version: who waits for releases is not given a candidate. */
export function suiteOfVersion(version: string): "stable" | "candidate" {
  return packageVersion(version).includes("~") ? "candidate" : "stable";
}

export function versionOfSources(root: string): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}

if (import.meta.main) console.log(packageVersion(versionOfSources(join(import.meta.dirname, "../.."))));
