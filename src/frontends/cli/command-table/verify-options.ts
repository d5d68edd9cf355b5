import { CONFIG, type OptionEntry, POLICY } from "./command.ts";

/** Output formats of verify: src/frontends/cli/verify has a report for each. */
export const VERIFY_FORMATS = ["text", "json", "ndjson", "ref", "junit", "github", "markdown"] as const;
export type VerifyFormat = (typeof VERIFY_FORMATS)[number];

/** Options of `verify`. */
export const VERIFY_OPTIONS = {
  file: {
    kind: "file",
    value: "FILE",
    summary:
      "also verify every image that this file names: YAML, JSON, compose, a Dockerfile or a list; - is standard input; repeatable",
    short: "f",
    repeatable: true,
  },
  output: {
    kind: VERIFY_FORMATS,
    value: "FORMAT",
    summary: `output format: ${VERIFY_FORMATS.join(", ")}; ref prints NAME@DIGEST if all images are allowed, and otherwise nothing`,
    default: "text",
    short: "o",
  },
  quiet: {
    kind: "flag",
    summary: "print nothing on standard output; a refusal's reason is one line on standard error",
    short: "q",
  },
  verbose: { kind: "flag", summary: "print every detail, and each request" },
  policy: {
    ...POLICY,
    summary: "use this policy instead of the configuration's trustPolicyPath, even if others can change the file",
  },
  "policy-sha256": {
    kind: "text",
    value: "HEX",
    summary: "with --policy: the SHA-256 that the policy must have, with its fragments appended",
  },
  signer: {
    kind: "text",
    value: "DID-or-HANDLE",
    summary:
      "trust only this signer, whatever the policy's rules say; its revokedDIDs, digests.deny and settings of a DID still apply; repeatable, any one suffices",
    repeatable: true,
  },
  platform: {
    kind: "text",
    value: "OS/ARCH",
    summary:
      "verify the index's image for this platform, too, such as linux/arm64; the exit status is that of the index",
  },
  "allow-audited": {
    kind: "flag",
    summary: "exit with 0 even if the image is allowed only because its rule audits",
  },
  "no-cache": {
    kind: "flag",
    summary: "use the network even if cached evidence is fresh; the answers are cached",
  },
  stateless: {
    kind: "flag",
    summary: "read and write neither the cache nor the signer history; rollbacks are not detected",
  },
  "media-type": {
    kind: "text",
    value: "TYPE",
    summary:
      "media type of the manifest, to compare with the record; the type of anything but a manifest or an index is not compared, with a warning",
  },
  "save-evidence": { kind: "file", value: "FILE", summary: "save the evidence as a bundle" },
  offline: { kind: "flag", summary: "use no network; needs --bundle" },
  bundle: { kind: "file", value: "FILE", summary: "with --offline: the evidence to verify" },
  at: {
    kind: "text",
    value: "TIME",
    summary: "with --offline: verify as of this time (RFC 3339) instead of now",
  },
  config: CONFIG,
} as const satisfies Readonly<Record<string, OptionEntry>>;
