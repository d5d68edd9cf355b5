import { ADDRESS, CONFIG, type CommandEntries, INTERNAL_ERROR, MISCONFIGURED, OUTPUT, POLICY } from "./command.ts";
import { VERIFY_OPTIONS } from "./verify-options.ts";

/** Commands about images. */
export const IMAGE_COMMANDS = {
  verify: {
    summary: "verify images as a pull would",
    details:
      "The word verify may be left out if the first IMAGE contains /, :, @ or a dot. A tag is resolved as containerd would, and the digest is judged. For an image that is allowed only because its rule audits, the exit status is 1 or 2, as under enforce. Of several images, the first of the statuses 4, 3, 1, 2, 5 and 0 that occurs is the exit status.",
    operands: [{ name: "IMAGE", kind: "text", optional: true, repeatable: true }],
    options: VERIFY_OPTIONS,
    statuses: {
      0: "all images are allowed",
      1: "an image is denied",
      2: "inconclusive: an image could not be verified, or the command was interrupted",
      3: `${MISCONFIGURED}, or what was given is not an image name`,
      4: `${INTERNAL_ERROR}, or evidence that could not be saved`,
      5: "nothing was judged: no policy was named, and the default policy is absent or as installed",
    },
    examples: [
      {
        shows: "deploy only what is signed",
        line: 'atcr-verify verify --policy trust-policy.yaml "$IMAGE" && deploy',
      },
      {
        shows: "verify every image that a manifest and a Dockerfile name",
        line: "atcr-verify -f deployment.yaml -f Dockerfile",
      },
      {
        shows: "trust one signer, without a policy",
        line: "atcr-verify --signer alice.example.com atcr.io/alice.example.com/app:v1",
      },
      {
        shows: "verify saved evidence without a network",
        line: 'atcr-verify verify "$IMAGE" --offline --bundle evidence.bundle',
      },
    ],
  },
  inspect: {
    summary: "see who signed an image, without a verdict",
    details:
      "It judges nothing: use verify in scripts. It asks the owner of the handle in the name, the signers given by --signer, and signers that the registry names, who may be strangers: 16 in all; nothing of it is cached or recorded. Without a digest the tag is resolved, or looked up in the signers' own records.",
    operands: [{ name: "IMAGE", kind: "text" }],
    options: {
      signer: {
        kind: "text",
        value: "DID-or-HANDLE",
        summary: "also look at this signer",
        repeatable: true,
      },
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "something is shown, whatever it says: this is not a verdict",
      2: "no service answered, so nothing is known",
      3: MISCONFIGURED,
      4: INTERNAL_ERROR,
    },
    examples: [{ shows: "who signed an image", line: "atcr-verify inspect atcr.io/alice.example.com/app:v1" }],
  },
  images: {
    summary: "see which images on this node would be refused",
    linuxOnly: true,
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
  vouch: {
    summary: "sign verified images anew, for cosign or Notation",
    details:
      "For places where only another verifier can be deployed: what is lost is in docs/vouching.md. Each image is verified over the network, without the cache, bundles, attachments and break-glass, and must be signed; one that is exempt or audited is refused. Its digest is signed with the key, and the signature is pushed as the other verifier looks for it. Nothing is pushed unless all images are signed. It needs credentials that may push.",
    operands: [{ name: "IMAGE", kind: "text", repeatable: true }],
    options: {
      format: {
        kind: ["cosign", "notation"],
        value: "cosign|notation",
        summary: "whose signature to make: cosign's at the tag sha256-HEX.sig, or a referrer for Notation",
        required: true,
      },
      key: {
        kind: "file",
        value: "FILE",
        summary:
          "private key in PEM, which may be encrypted or one of cosign; the file must be this user's, with mode 0600 or 0400",
        required: true,
      },
      "passphrase-file": {
        kind: "file",
        value: "FILE",
        summary: "pass phrase of an encrypted key, with the same permissions; default: the variable COSIGN_PASSWORD",
      },
      certificate: {
        kind: "file",
        value: "FILE",
        summary: "with --format notation: the certificates in PEM, that of the key first, the root last",
      },
      expires: {
        kind: "text",
        value: "DURATION",
        summary: "with --format notation: how long the signature counts, at most 90d",
      },
      platform: {
        kind: "text",
        value: "OS/ARCH",
        summary: "also the index's image for this platform, which must be signed for itself; repeatable",
        repeatable: true,
      },
      "dry-run": { kind: "flag", summary: "verify and sign, print what would be pushed, and push nothing" },
      force: {
        kind: "flag",
        summary: "also on ATCR, where a push writes a record into the repo of the account that pushes",
      },
      policy: POLICY,
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "all signatures are pushed, or would be",
      1: "an image is denied, exempt or audited, so nothing is pushed",
      2: "an image could not be verified, so nothing is pushed, or the registry did not take a signature: the output says which were pushed",
      3: `${MISCONFIGURED}, the key or the certificates cannot be used, or what was given is not an image name`,
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "see what would be pushed",
        line: 'atcr-verify vouch "$IMAGE" --format cosign --key cosign.key --dry-run',
      },
    ],
  },
} as const satisfies CommandEntries;
