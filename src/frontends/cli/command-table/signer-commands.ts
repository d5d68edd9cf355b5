import { CONFIG, type CommandEntries, INTERNAL_ERROR, MISCONFIGURED, OUTPUT } from "./command.ts";

const UNUSABLE = "the arguments, the configuration or the folder cannot be used, or this user lacks permission";

/** Commands about signers, and about what this node has recorded and cached of them. */
export const SIGNER_COMMANDS = {
  identity: {
    summary: "look up a signer",
    details: "It shows what was verified, and what only the directory claims.",
    operands: [{ name: "DID-or-HANDLE", kind: "text" }],
    options: {
      "min-key-age": {
        kind: "text",
        value: "AGE",
        summary: "report whether the key is younger than this, as a rule's minKeyAge counts",
        // The recovery window of did:plc: how long a malicious key change can be reverted.
        default: "72h",
      },
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "proven",
      1: "the identity cannot sign (a tombstone, an unusable document or key, a log that lacks an operation this node has seen), or the handle resolves to no DID, or to one that does not claim it",
      2: "it could not be verified",
      3: MISCONFIGURED,
      4: INTERNAL_ERROR,
    },
    examples: [{ shows: "find the DID to trust", line: "atcr-verify identity alice.example.com" }],
  },
  "state show": {
    summary: "see what this node has recorded about signers",
    operands: [{ name: "DID", kind: "text", optional: true }],
    options: { config: CONFIG, output: OUTPUT },
    statuses: { 0: "shown", 1: "nothing recorded about that DID, or a warning", 3: UNUSABLE, 4: INTERNAL_ERROR },
    examples: [{ shows: "all signers", line: "sudo atcr-verify state show" }],
  },
  "state forget": {
    summary: "forget what this node has recorded about a signer",
    details:
      "After that, a rollback of that signer to an older state is not detected, and minKeyAge counts from the next pull.",
    operands: [{ name: "DID", kind: "text" }],
    options: { config: CONFIG, output: OUTPUT },
    statuses: { 0: "forgotten", 1: "nothing was recorded about that DID", 3: UNUSABLE, 4: INTERNAL_ERROR },
    examples: [
      {
        shows: "after a PDS was restored from a backup",
        line: "sudo atcr-verify state forget did:plc:ewvi7nxzyoun6zhxrhs64oiz",
      },
    ],
  },
  "cache list": {
    summary: "list the cached evidence",
    operands: [],
    options: { config: CONFIG, output: OUTPUT },
    statuses: { 0: "listed", 1: "there was a warning", 3: UNUSABLE, 4: INTERNAL_ERROR },
    examples: [{ shows: "everything", line: "sudo atcr-verify cache list" }],
  },
  "cache show": {
    summary: "verify again what is cached for an image",
    operands: [{ name: "sha256:DIGEST", kind: "text" }],
    options: { config: CONFIG, output: OUTPUT },
    statuses: { 0: "shown", 1: "nothing was found, or a warning", 3: UNUSABLE, 4: INTERNAL_ERROR },
    examples: [],
  },
  "cache clear": {
    summary: "remove cached evidence",
    details: "Without an operand it removes everything. The next pull uses the network.",
    operands: [{ name: "sha256:DIGEST|DID", kind: "text", optional: true }],
    options: { config: CONFIG, output: OUTPUT },
    statuses: { 0: "removed", 1: "nothing was there, or a warning", 3: UNUSABLE, 4: INTERNAL_ERROR },
    examples: [
      { shows: "the evidence of one signer", line: "sudo atcr-verify cache clear did:plc:ewvi7nxzyoun6zhxrhs64oiz" },
    ],
  },
} as const satisfies CommandEntries;
