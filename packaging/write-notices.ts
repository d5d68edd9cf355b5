/** Writes the third-party notices to standard output: `node packaging/write-notices.ts`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bundledPackages, bunPackage } from "./bundled-packages.ts";

const root = join(import.meta.dirname, "..");
const line = "-".repeat(100);
const packages = bundledPackages(root).map(({ name, version, license, text }) => {
  return `${line}\n${name} ${version}: ${license}\n\n${text || `(it brings no text of its licence, ${license}; see the end of this file)`}\n`;
});
const licences = [
  ["Apache-2.0", "LICENSE"],
  ["LGPL-2.0", "packaging/licences/LGPL-2.0.txt"],
  ["LGPL-2.1", "packaging/licences/LGPL-2.1.txt"],
].map(([name, file = ""]) => `${line}\n${name}\n\n${readFileSync(join(root, file), "utf8")}`);
process.stdout.write(
  `Third-party software in atcr-verify\n\nBun ${bunPackage(root, "linux-x64").version}\n\n${readFileSync(join(root, "packaging/bun-notice.txt"), "utf8")}\nPackages of npm\n\n${packages.join("\n")}\nLicences of several of these\n\n${licences.join("\n")}`,
);
