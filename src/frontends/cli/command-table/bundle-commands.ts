import {
  CONFIG,
  type CommandEntries,
  INTERNAL_ERROR,
  MISCONFIGURED,
  type OptionEntry,
  OUTPUT,
  POLICY,
} from "./command.ts";

const OUT = {
  kind: "file",
  value: "FILE",
  summary: "write the bundle to this file",
  required: true,
  short: "o",
} as const;
const SEAL = {
  kind: "file",
  value: "KEY",
  summary: "seal the bundle with this secret key, which bundle keygen made",
} as const satisfies OptionEntry;
const GATHERED = {
  0: "written, with the evidence of each image, all of them allowed",
  1: "written; an image is denied; if that is proven, the bundle has the proof",
  2: "written; an image could not be verified, and is left out",
  3: `${MISCONFIGURED}, or what was given is not an image name`,
  4: `${INTERNAL_ERROR}, or a bundle that could not be written`,
} as const;

/** Commands that carry evidence to where there is no network (docs/reference/bundles.md). */
export const BUNDLE_COMMANDS = {
  "bundle create": {
    summary: "gather the evidence of images into a file",
    details:
      "Each image is verified over the network, without the cache, and a tag is resolved. A proof that there is no signature is put in too: that is how a deletion reaches nodes without a network.",
    operands: [{ name: "IMAGE", kind: "text", optional: true, repeatable: true }],
    options: {
      file: {
        kind: "file",
        value: "FILE",
        summary: "also the images that this file names; - is standard input",
        short: "f",
        repeatable: true,
      },
      out: OUT,
      seal: SEAL,
      policy: POLICY,
      config: CONFIG,
    },
    statuses: GATHERED,
    examples: [
      {
        shows: "the images of a list",
        line: "atcr-verify bundle create -f images.txt -o images.bundle --seal seal.key",
      },
    ],
  },
  "bundle list": {
    summary: "see what a bundle proves, or what this node has imported",
    details: "Without FILE, it lists what was imported, and when each piece ends by the offlineFor of its rule.",
    operands: [{ name: "FILE", kind: "file", optional: true }],
    options: { policy: POLICY, config: CONFIG, output: OUTPUT },
    statuses: {
      0: "listed",
      1: "something proves nothing, cannot be used, or has ended",
      3: `${MISCONFIGURED}, or the bundle cannot be read`,
      4: INTERNAL_ERROR,
    },
    examples: [{ shows: "what this node has", line: "sudo atcr-verify bundle list" }],
  },
  "bundle merge": {
    summary: "merge bundles",
    details:
      "Of each digest, signer and tag the newest evidence is kept, a no included, and of each signer the newest log. A seal covers the merged bundle; seals of the inputs are checked and do not go with it.",
    operands: [{ name: "FILE", kind: "file", repeatable: true }],
    options: { out: OUT, seal: SEAL, config: CONFIG },
    statuses: {
      0: "written",
      1: "written; something in a bundle proves nothing",
      3: "the arguments, the configuration or a bundle cannot be used",
      4: `${INTERNAL_ERROR}, or a bundle that could not be written`,
    },
    examples: [{ shows: "two into one", line: "atcr-verify bundle merge old.bundle new.bundle -o all.bundle" }],
  },
  "bundle import": {
    summary: "import a bundle on this node",
    details:
      "All of it is proven first. What is newer than what is there is written to bundleDir, one piece for each digest and signer, and a proven no is remembered. Pulls use it under rules with offlineFor.",
    operands: [{ name: "FILE", kind: "file" }],
    options: {
      sha256: { kind: "text", value: "HEX", summary: "the SHA-256 that the file must have" },
      config: CONFIG,
    },
    statuses: {
      0: "imported, or all of it is there already",
      1: "something in it proves nothing and was not imported, or could not be remembered",
      3: "the arguments, the configuration or the bundle cannot be used, or this user lacks permission",
      4: `${INTERNAL_ERROR}, or a piece that could not be written`,
    },
    examples: [{ shows: "import a bundle", line: "sudo atcr-verify bundle import images.bundle" }],
  },
  "bundle keygen": {
    summary: "make a key that seals bundles",
    details:
      "It writes the secret key to KEY and the public key to KEY.pub, and overwrites neither. Nodes list the public key in bundleKeys.",
    operands: [],
    options: { out: { ...OUT, value: "KEY", summary: "the file for the secret key" } },
    statuses: { 0: "made", 3: "the arguments cannot be used, or a file exists", 4: INTERNAL_ERROR },
    examples: [{ shows: "a key for a team", line: "atcr-verify bundle keygen -o seal.key" }],
  },
  export: {
    summary: "gather the evidence of one image into a file",
    details: "The same as bundle create with one image.",
    operands: [{ name: "IMAGE", kind: "text" }],
    options: { out: OUT, seal: SEAL, policy: POLICY, config: CONFIG },
    statuses: GATHERED,
    examples: [{ shows: "one image", line: "atcr-verify export atcr.io/alice.example.com/app:v1 -o app.bundle" }],
  },
  attach: {
    summary: "attach the sealed evidence of an image to it in its registry",
    details:
      "The evidence is gathered as by bundle create, sealed, and stored as an OCI referrer of the image, in place of older ones by the same key. Pulls use it under offlineFor, where services do not answer and bundleKeys lists the key. It needs credentials that may push.",
    operands: [{ name: "IMAGE", kind: "text" }],
    options: {
      seal: { ...SEAL, summary: "seal the evidence with this secret key, which bundle keygen made", required: true },
      force: {
        kind: "flag",
        summary: "also on ATCR, where a push writes a record into the repo of the account that pushes",
      },
      policy: POLICY,
      config: CONFIG,
    },
    statuses: {
      0: "attached; the image is allowed",
      1: "the image is denied; attached as a no if that is proven",
      2: "the image could not be verified, so nothing is attached, or the registry did not take it",
      3: `${MISCONFIGURED}, or what was given is not an image name`,
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "an image of a registry inside",
        line: "atcr-verify attach registry.local/app:v1 --seal seal.key",
      },
    ],
  },
} as const satisfies CommandEntries;
