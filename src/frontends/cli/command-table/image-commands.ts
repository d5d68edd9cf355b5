import { ADDRESS, CONFIG, type CommandEntries, INTERNAL_ERROR, MISCONFIGURED, OUTPUT, POLICY } from "./command.ts";

/** Commands about images. */
export const IMAGE_COMMANDS = {
  verify: {
    summary: "verify an image as a pull would",
    details:
      "The name needs a digest; crane digest NAME, oras resolve NAME and skopeo inspect docker://NAME print it. An image that is let through only because its rule audits has 1 or 2, the status it would have under enforce.",
    operands: [{ name: "NAME@sha256:DIGEST", kind: "text" }],
    options: {
      policy: POLICY,
      "allow-audited": { kind: "flag", summary: "exit with 0 also where the image is only audited" },
      "no-cache": {
        kind: "flag",
        summary: "ask the network even where cached evidence is fresh; the answers are cached",
      },
      "media-type": {
        kind: "text",
        value: "TYPE",
        summary:
          "media type of the manifest, to compare with the record; a type that is no manifest or index is not compared, and a warning says so",
      },
      "save-evidence": { kind: "file", value: "FILE", summary: "save the evidence as a bundle" },
      offline: { kind: "flag", summary: "use no network; needs --bundle" },
      bundle: { kind: "file", value: "FILE", summary: "with --offline: the evidence to judge" },
      at: {
        kind: "text",
        value: "TIME",
        summary: "with --offline: judge as of this time (RFC 3339) instead of now",
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
        shows: "judge saved evidence without a network",
        line: 'atcr-verify verify "$IMAGE" --offline --bundle evidence.json',
      },
    ],
  },
  images: {
    summary: "see which images of this node would be refused",
    details: "Each image that containerd has is verified as if it were pulled now.",
    operands: [],
    options: {
      refused: { kind: "flag", summary: "only images that would be refused" },
      audited: { kind: "flag", summary: "only images that audit alone lets through; with --refused, both" },
      namespace: {
        kind: "text",
        value: "NS[,NS]",
        summary: "these namespaces of containerd, instead of all; Kubernetes' is k8s.io",
      },
      progress: { kind: "flag", summary: "report progress also where standard error is no terminal" },
      address: ADDRESS,
      policy: POLICY,
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "all would be allowed",
      1: "one would be refused, or is let through by audit alone",
      2: "interrupted (SIGINT, SIGTERM, or an hour has passed): what was verified by then is printed",
      3: `${MISCONFIGURED}, or this user may not reach containerd`,
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "Kubernetes' images that would be refused",
        line: "sudo atcr-verify images --refused --namespace k8s.io",
      },
    ],
  },
} as const satisfies CommandEntries;
