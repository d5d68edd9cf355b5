import { ADDRESS, CONFIG, CONTAINERD_CONFIG, CONTAINERS_DIR, type OptionEntry, OUTPUT } from "./command.ts";

/** Options of `doctor`. */
export const DOCTOR_OPTIONS = {
  probe: { kind: "flag", summary: "have containerd pull a name that is always refused, and check that it is" },
  offline: { kind: "flag", summary: "contact no directory, PDS or registry" },
  containers: {
    kind: "flag",
    summary: "check podman's and CRI-O's gate alone; without it, it is checked beside containerd's once it is enabled",
  },
  "containers-dir": CONTAINERS_DIR,
  cluster: { kind: "flag", summary: "check a cluster instead of this node, by its API server" },
  kubeconfig: {
    kind: "file",
    value: "FILE",
    summary: "with --cluster: use this kubeconfig instead of KUBECONFIG, or ~/.kube/config",
  },
  context: { kind: "text", value: "NAME", summary: "with --cluster: use this context of the kubeconfig" },
  namespace: {
    kind: "text",
    value: "NAME",
    summary: "with --cluster: ask for a pod in this namespace instead of the context's, or default",
  },
  server: {
    kind: "text",
    value: "URL",
    summary: "with --cluster: ask kubectl proxy at this address, such as http://127.0.0.1:8001, without a kubeconfig",
  },
  address: ADDRESS,
  "containerd-config": CONTAINERD_CONFIG,
  config: {
    ...CONFIG,
    summary:
      "use this configuration instead of the one that containerd's environment names; with --cluster: the server's, for its deadline",
  },
  output: OUTPUT,
} as const satisfies Readonly<Record<string, OptionEntry>>;
