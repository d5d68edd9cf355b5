import { ADDRESS, CONFIG, type CommandEntries, INTERNAL_ERROR, MISCONFIGURED, OUTPUT, POLICY } from "./command.ts";

/** Commands about images. */
export const IMAGE_COMMANDS = {
  verify: {
    summary: "verify an image as a pull would",
    details:
      "The name needs a digest; crane digest NAME, oras resolve NAME and skopeo inspect docker://NAME print it. For an image that is allowed only because its rule audits, the exit status is 1 or 2, as under enforce.",
    operands: [{ name: "NAME@sha256:DIGEST", kind: "text" }],
    options: {
      policy: POLICY,
      "allow-audited": {
        kind: "flag",
        summary: "exit with 0 even if the image is allowed only because its rule audits",
      },
      "no-cache": {
        kind: "flag",
        summary: "use the network even if cached evidence is fresh; the answers are cached",
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
      output: OUTPUT,
    },
    statuses: {
      0: "the image is allowed",
      1: "it is denied",
      2: "inconclusive: it could not be verified",
      3: MISCONFIGURED,
      4: `${INTERNAL_ERROR}, or evidence that could not be saved`,
    },
    examples: [
      {
        shows: "deploy only what is signed",
        line: 'atcr-verify verify --policy trust-policy.yaml "$IMAGE" && deploy',
      },
      {
        shows: "verify saved evidence without a network",
        line: 'atcr-verify verify "$IMAGE" --offline --bundle evidence.json',
      },
    ],
  },
  images: {
    summary: "see which images on this node would be refused",
    details: "Each image in containerd is verified as if it were pulled now.",
    operands: [],
    options: {
      refused: { kind: "flag", summary: "only images that would be refused" },
      audited: {
        kind: "flag",
        summary: "only images that pass because their rule audits; with --refused, both",
      },
      namespace: {
        kind: "text",
        value: "NS[,NS]",
        summary: "only these namespaces of containerd; Kubernetes uses k8s.io",
      },
      progress: { kind: "flag", summary: "report progress even if standard error is not a terminal" },
      address: ADDRESS,
      policy: POLICY,
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "all would be allowed",
      1: "at least one would be refused, or is allowed only because its rule audits",
      2: "interrupted (SIGINT, SIGTERM, or after an hour): prints what was verified by then",
      3: `${MISCONFIGURED}, or this user may not connect to containerd`,
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "images of Kubernetes that would be refused",
        line: "sudo atcr-verify images --refused --namespace k8s.io",
      },
    ],
  },
} as const satisfies CommandEntries;
