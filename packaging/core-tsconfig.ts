/** Prints the compiler configuration of the pure layers: tsconfig.json without Node's globals. */
import { LAYERS } from "./layers.ts";

const config = {
  extends: "../../tsconfig.json",
  compilerOptions: { types: [] },
  include: [
    ...LAYERS.filter(({ pure }) => pure).map(({ path }) => `../../src/${path}`),
    "../../packaging/core/globals.d.ts",
  ],
  exclude: [],
};
process.stdout.write(`${JSON.stringify(config, undefined, 2)}\n`);
