import {
  ADDRESS,
  CONFIG,
  CONTAINERD_CONFIG,
  CONTAINERS_DIR,
  type CommandEntries,
  INTERNAL_ERROR,
  MISCONFIGURED,
  OUTPUT,
} from "./command.ts";
import { DOCTOR_OPTIONS } from "./doctor-options.ts";

const LINK_STATUSES = { 1: "nothing was changed, or a problem remains", 3: MISCONFIGURED, 4: INTERNAL_ERROR } as const;

/** Commands about this node and the program itself. */
export const NODE_COMMANDS = {
  enable: {
    summary: "have containerd run this program at each pull",
    linuxOnly: true,
    details: "It places a link in containerd's bin_dir. Policy and containerd are checked first. Nothing is restarted.",
    operands: [],
    options: {
      "bin-dir": { kind: "folder", value: "DIR", summary: "use this folder instead of containerd's bin_dir" },
      force: { kind: "flag", summary: "place the link even where the folder or the policy would block pulls" },
      containers: {
        kind: "flag",
        summary:
          "for podman, CRI-O, skopeo and buildah instead of containerd: write policy.json and a file of registries.d, so that they ask the lookaside responder of this node; with --force also in place of other requirements for a registry of the policy",
      },
      "containers-dir": CONTAINERS_DIR,
      "print-config": {
        kind: "flag",
        summary: "only print the file and the lines that make kubelet ask verifiers on this node's distribution",
      },
      distribution: {
        kind: [
          "rke2",
          "k3s",
          "k0s",
          "microk8s",
          "kind",
          "eks-al2023",
          "aks",
          "gke-cos",
          "talos",
          "kubeadm",
          "flatcar",
          "bottlerocket",
        ],
        value: "NAME",
        summary:
          "with --print-config: for another machine of rke2, k3s, k0s, microk8s, kind, eks-al2023, aks, gke-cos, talos, kubeadm, flatcar or bottlerocket",
      },
      address: ADDRESS,
      "containerd-config": CONTAINERD_CONFIG,
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: { 0: "enabled, or printed", ...LINK_STATUSES },
    examples: [
      {
        shows: "enable, then prove it by a real pull",
        line: "sudo atcr-verify enable && sudo atcr-verify doctor --probe",
      },
      {
        shows: "for podman and CRI-O, instead of containerd",
        line: "sudo atcr-verify enable --containers",
      },
      {
        shows: "while building a node image",
        line: "sudo atcr-verify enable --bin-dir /opt/containerd/image-verifier/bin",
      },
      {
        shows: "what containerd needs, so that it asks for kubelet's pulls",
        line: "sudo atcr-verify enable --print-config",
      },
    ],
  },
  disable: {
    summary: "stop containerd running this program",
    linuxOnly: true,
    details: "It removes every link that points to this program, and names what else runs it.",
    operands: [],
    options: {
      "bin-dir": { kind: "folder", value: "DIR", summary: "only this folder" },
      containers: { kind: "flag", summary: "take back what enable --containers wrote, instead of links" },
      "containers-dir": CONTAINERS_DIR,
      address: ADDRESS,
      "containerd-config": CONTAINERD_CONFIG,
      config: CONFIG,
      output: OUTPUT,
    },
    statuses: { 0: "removed, and nothing else runs it", ...LINK_STATUSES },
    examples: [{ shows: "as an emergency switch", line: "sudo atcr-verify disable" }],
  },
  doctor: {
    summary: "check whether pulls here, or pods of a cluster, are verified",
    details:
      "With --cluster it asks a cluster's API server which webhooks lead to this program and how they are set, and for a dry run of a pod that must be refused. Nothing is changed.",
    linuxOnly: true,
    elsewhereWith: "cluster",
    operands: [],
    options: DOCTOR_OPTIONS,
    statuses: { 0: "no problem", 1: "a problem", 3: MISCONFIGURED, 4: INTERNAL_ERROR },
    examples: [
      { shows: "prove it by a real pull", line: "sudo atcr-verify doctor --probe" },
      {
        shows: "whether a cluster refuses what it must",
        line: "atcr-verify doctor --cluster --namespace shop",
      },
    ],
  },
  "break-glass": {
    summary: "let refused pulls through in an emergency, for a while",
    details:
      "Without options it shows whether break-glass is active. It is declared with --for, --scope and --reason, by root, ends by itself, and every answer, log line and metric names it. Images that the policy denies by name or digest stay refused.",
    linuxOnly: true,
    operands: [],
    options: {
      for: { kind: "text", value: "TIME", summary: "how long, from 1m to 24h" },
      scope: {
        kind: "text",
        value: "SCOPE",
        repeatable: true,
        summary: "for which images, as a scope of the policy; several times for several; ** for all",
      },
      reason: { kind: "text", value: "TEXT", summary: "why; it appears in the log and in each answer" },
      end: { kind: "flag", summary: "end it now" },
      address: ADDRESS,
      output: OUTPUT,
    },
    statuses: {
      0: "not active; with options: declared, or ended",
      1: "active, or there is a file that has no effect",
      3: "the arguments cannot be used, this user is not root, or the file could not be changed",
      4: INTERNAL_ERROR,
    },
    examples: [
      {
        shows: "for the images of one registry, for two hours",
        line: "sudo atcr-verify break-glass --for 2h --scope 'atcr.io/**' --reason INC-1234",
      },
      { shows: "when the emergency is over", line: "sudo atcr-verify break-glass --end" },
    ],
  },
  log: {
    summary: "read past decisions",
    details: "The latest decision comes last.",
    operands: [],
    options: {
      lines: { kind: "text", value: "N", summary: "at most N decisions; 20 if not given" },
      refused: { kind: "flag", summary: "only refused pulls, without those of doctor --probe" },
      audited: { kind: "flag", summary: "only pulls allowed because of audit or break-glass" },
      image: { kind: "text", value: "TEXT", summary: "only pulls whose name or digest contains this" },
      summary: {
        kind: "flag",
        summary:
          "one line for each image and code, the worst first: count, time of the latest, code, image and digests; pulls of doctor --probe are counted in a last line, probes",
      },
      follow: { kind: "flag", summary: "continue with new decisions" },
      file: { kind: "file", value: "FILE", summary: "read this log instead of the configuration's decisionLog" },
      config: CONFIG,
      output: {
        ...OUTPUT,
        summary:
          "output format; JSON is the log's own lines, or with --summary one line each of image, outcome, code, would, count, last, digests, more",
      },
    },
    statuses: {
      0: "shown",
      1: "nothing to show",
      3: `${MISCONFIGURED}, or this user may not read the log`,
      4: INTERNAL_ERROR,
    },
    examples: [{ shows: "what enforcing would refuse", line: "sudo atcr-verify log --audited --summary" }],
  },
  selftest: {
    summary: "test this program with known evidence",
    details: "It uses no network and reads no file.",
    operands: [],
    options: { output: OUTPUT },
    statuses: {
      0: "all results are as expected",
      1: "at least one is not",
      3: "the arguments cannot be used",
      4: INTERNAL_ERROR,
    },
    examples: [{ shows: "after an installation", line: "atcr-verify selftest" }],
  },
} as const satisfies CommandEntries;
