/**
 * Writes what the program for a platform is made of to standard output, as CycloneDX 1.5:
 * `node packaging/write-sbom.ts linux-x64`. The same sources give the same bytes: no time, no serial number.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bundledPackages, bunPackage } from "./bundled-packages.ts";

const root = join(import.meta.dirname, "..");
const { name, version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
  string,
  string
>;
const [platform = ""] = process.argv.slice(2);

const component = (of: { name: string; version: string; license: string; integrity: string }, type: string) => {
  const purl = `pkg:npm/${of.name.replace("@", "%40")}@${of.version}`;
  const hashes = of.integrity.startsWith("sha512-")
    ? [{ alg: "SHA-512", content: Buffer.from(of.integrity.slice("sha512-".length), "base64").toString("hex") }]
    : [];
  return {
    type,
    "bom-ref": purl,
    name: of.name,
    version: of.version,
    ...(hashes.length > 0 && { hashes }),
    licenses: / (?:OR|AND|WITH) /.test(of.license) ? [{ expression: of.license }] : [{ license: { id: of.license } }],
    purl,
  };
};

const components = [
  component(bunPackage(root, platform), "framework"),
  ...bundledPackages(root).map((one) => component(one, "library")),
];
const own = {
  type: "application",
  "bom-ref": `pkg:generic/${name}@${version}`,
  name,
  version,
  licenses: [{ license: { id: license } }],
};
const bom = { bomFormat: "CycloneDX", specVersion: "1.5", version: 1, metadata: { component: own }, components };
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`);
