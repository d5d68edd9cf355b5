/** Prints the compiler configuration of the pure layers: tsconfig.json without Node's globals. */
import { PURE_LAYERS } from "../oxlint.config.ts";

const config = {
  extends: "../../tsconfig.json",
  compilerOptions: { types: [] },
  include: [...PURE_LAYERS.flat().map((entry) => `../../src/${entry}`), "../../packaging/core/globals.d.ts"],
  exclude: [],
};
process.stdout.write(`${JSON.stringify(config, undefined, 2)}\n`);
