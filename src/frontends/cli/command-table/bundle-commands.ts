import { type CommandEntries, INTERNAL_ERROR } from "./command.ts";

/** Commands that carry evidence to where there is no network (docs/reference/bundles.md). */
export const BUNDLE_COMMANDS = {
  "bundle keygen": {
    summary: "make a key that seals bundles",
    details:
      "It writes the secret key to KEY and the public key to KEY.pub, and overwrites neither. Nodes list the public key in bundleKeys.",
    operands: [],
    options: {
      out: { kind: "file", value: "KEY", summary: "the file for the secret key", required: true },
    },
    statuses: { 0: "made", 3: "the arguments cannot be used, or a file exists", 4: INTERNAL_ERROR },
    examples: [{ shows: "a key for a team", line: "atcr-verify bundle keygen --out seal.key" }],
  },
} as const satisfies CommandEntries;
