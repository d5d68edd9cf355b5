import { CONFIG, type CommandEntries, INTERNAL_ERROR, MISCONFIGURED, OUTPUT, POLICY } from "./command.ts";

/** Commands about policies and the configuration. */
export const POLICY_COMMANDS = {
  "policy init": {
    summary: "write a first policy, which refuses nothing",
    details:
      "It is in audit mode, and its comments say what to do next. Without --signer, at a terminal, it asks. A handle is looked up; the policy gets its DID.",
    operands: [],
    options: {
      signer: {
        kind: "text",
        value: "HANDLE-or-DID",
        repeatable: true,
        summary: "a trusted signer; may be repeated: any one of them suffices",
      },
      scope: {
        kind: "text",
        value: "SCOPE",
        repeatable: true,
        summary: "for which images, such as atcr.io/alice.example.com/**; several times for several; all if not given",
      },
      out: { kind: "file", value: "FILE", summary: "write it to this file instead of standard output" },
      force: { kind: "flag", summary: "overwrite FILE" },
      config: CONFIG,
    },
    statuses: {
      0: "written",
      1: "the handle belongs to nobody, or to a DID that does not claim it; nothing was written",
      2: "a handle could not be looked up; nothing was written",
      3: "the arguments or the configuration cannot be used, FILE exists, or a question was not answered; nothing was written",
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "for the images of one account",
        line: "atcr-verify policy init --signer alice.example.com --out policy.yaml",
      },
    ],
  },
  "policy check": {
    summary: "find mistakes in a policy",
    details:
      "Without FILE it reads the configuration's trustPolicyPath, with the fragments in policy.d; FILE can be -, for standard input. All mistakes of the files are reported in one run. The signers' identities are looked up.",
    operands: [{ name: "FILE", kind: "file", optional: true, insteadOf: "policy" }],
    options: {
      strict: { kind: "flag", summary: "treat warnings as errors" },
      offline: { kind: "flag", summary: "look up no identities" },
      "sandbox-image": {
        kind: "text",
        value: "NAME",
        summary:
          "the image that pods start with, instead of the one in /etc/containerd/config.toml (its imports are not read), or registry.k8s.io/pause:3.10",
      },
      "no-sandbox": { kind: "flag", summary: "the node does not run Kubernetes" },
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "no errors",
      1: "errors, or warnings under --strict",
      3: MISCONFIGURED,
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "in a pipeline, without a network",
        line: "atcr-verify policy check --offline --strict trust-policy.yaml",
      },
    ],
  },
  "policy explain": {
    summary: "see which rule applies to an image",
    details:
      "It says what the rule requires, and why each earlier rule does not match. With --pod it says that of each image of a manifest, and what a cluster's admission says of its name. It uses no network. With --policy -, the policy is read from standard input.",
    operands: [{ name: "IMAGE", kind: "text", optional: true }],
    options: {
      pod: {
        kind: "file",
        value: "FILE",
        summary:
          "instead of IMAGE: the images of the pods and workloads of this manifest, in YAML or JSON; - is standard input",
      },
      policy: POLICY,
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "explained",
      3: MISCONFIGURED,
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "what a pull of this tag must satisfy",
        line: "atcr-verify policy explain atcr.io/alice.example.com/app:v1",
      },
      {
        shows: "what a cluster will say of a manifest, before it is applied",
        line: "atcr-verify policy explain --pod pod.yaml",
      },
    ],
  },
  "policy test": {
    summary: "compare a policy with what you expect of it",
    details: "FILE lists images and what the policy must do with them. It uses no network.",
    operands: [{ name: "FILE", kind: "file" }],
    options: {
      policy: { ...POLICY, summary: "use this policy instead of the one that FILE names" },
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: {
      0: "all cases hold",
      1: "at least one fails",
      3: "the arguments, FILE, the policy or the configuration cannot be used",
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "fail if a change to the policy changes a result",
        line: "atcr-verify policy test config-examples/policy-test.yaml",
      },
    ],
  },
  "policy schema": {
    summary: "print the JSON Schema of a policy, for editors",
    operands: [],
    options: {},
    statuses: { 0: "printed", 3: "operands or options were given", 4: INTERNAL_ERROR },
    examples: [],
  },
  "config check": {
    summary: "find mistakes in the configuration",
    details:
      "Without FILE it reads the file that ATCR_VERIFY_CONFIG names, or /etc/atcr-verify/config.yaml; FILE can be -, for standard input. All mistakes are reported in one run, and files and folders that the configuration names and that are missing or cannot be used. An error means that every pull is refused, and that a server of this configuration refuses every image, or does not start.",
    operands: [{ name: "FILE", kind: "file", optional: true, insteadOf: "config" }],
    options: {
      strict: { kind: "flag", summary: "treat warnings as errors" },
      "no-files": { kind: "flag", summary: "do not look at the files and folders that the configuration names" },
      verbose: { kind: "flag", summary: "list all keys, also those with their defaults" },
      output: OUTPUT,
    },
    statuses: {
      0: "no errors",
      1: "errors, or warnings under --strict",
      3: "the arguments or the configuration cannot be used",
      4: INTERNAL_ERROR,
    },
    examples: [
      { shows: "before a changed configuration reaches pulls", line: "sudo atcr-verify config check new-config.yaml" },
      { shows: "all keys, with their defaults", line: "sudo atcr-verify config check --verbose" },
    ],
  },
} as const satisfies CommandEntries;
