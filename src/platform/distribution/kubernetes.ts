/**
 * Distributions of Kubernetes that bring or set up their own containerd. Facts are of the sources named at each, read in
 * snapshots of 2026; what could not be read there is marked "as others report".
 */
import { DEFAULT_BIN_DIR, DEFAULT_CONFIG } from "../containerd/inspect.ts";
import { DEFAULT_SOCKET, K0S_SOCKET, MICROK8S_SOCKET, RANCHER_SOCKET } from "../containerd/known-sockets.ts";
import { type Distribution, DROP_IN, importLine } from "./distribution.ts";

export const CONF_D = "/etc/containerd/conf.d";
/** How to make a containerd that an administrator configures read a drop-in. */
export const OWN_DROP_IN = {
  by: "drop-in",
  file: `${CONF_D}/${DROP_IN}`,
  restart: "systemctl restart containerd",
  toImport: { lines: [importLine(CONF_D)] },
} as const;

/** k3s and RKE2 share their agent: only the folders and the services differ. */
function ofRancher(name: string, title: string, services: string): Distribution {
  const folder = `/var/lib/rancher/${name}/agent/etc/containerd`;
  return {
    name,
    title,
    kind: "kubernetes",
    recognisedBy: { files: [`/etc/rancher/${name}`, `/var/lib/rancher/${name}/agent`], processes: [name] },
    socket: RANCHER_SOCKET,
    config: { path: `${folder}/config.toml`, writtenBy: `${title} writes it anew at each start` },
    // use_local_image_pull: as others report, who copied the template of version 3 (pkg/agent/templates/templates.go).
    ships: { bypasses: ["use_local_image_pull"] },
    binDir: DEFAULT_BIN_DIR,
    change: {
      by: "drop-in",
      // https://github.com/k3s-io/k3s/pull/13680, https://github.com/k3s-io/docs/pull/567
      file: `${folder}/config-v3.toml.d/${DROP_IN}`,
      restart: services,
      // A table cannot be repeated after the base template: https://github.com/k3s-io/docs/issues/566, k3s#13678
      toImport: {
        into: `${folder}/config-v3.toml.tmpl`,
        isWhole: true,
        lines: [importLine(`${folder}/config-v3.toml.d`), '{{ template "base" . }}'],
      },
    },
    notes: [
      "That it sets use_local_image_pull was read in copies of the template that k3s and RKE2 share, not in its own source.",
      // https://github.com/k3s-io/k3s/issues/8973
      `Credentials or TLS under "configs" in /etc/rancher/${name}/registries.yaml bring the bypass registry.configs back.`,
    ],
    wasRun: false,
  };
}

export const KUBERNETES: readonly Distribution[] = [
  ofRancher("rke2", "RKE2", "systemctl restart rke2-server (rke2-agent on an agent)"),
  ofRancher("k3s", "k3s", "systemctl restart k3s (k3s-agent on an agent)"),
  {
    // https://github.com/k0sproject/k0s/blob/main/docs/runtime.md, pkg/component/worker/containerd
    name: "k0s",
    title: "k0s",
    kind: "kubernetes",
    recognisedBy: { files: ["/etc/k0s", "/var/lib/k0s", "/run/k0s"], processes: ["k0s"] },
    socket: K0S_SOCKET,
    config: {
      path: "/etc/k0s/containerd.toml",
      writtenBy: "k0s manages it while its first line says k0s_managed=true",
    },
    ships: { bypasses: [] },
    binDir: DEFAULT_BIN_DIR,
    change: {
      by: "drop-in",
      file: `/etc/k0s/containerd.d/${DROP_IN}`,
      restart: "systemctl restart k0sworker (k0scontroller on a controller that runs pods)",
    },
    notes: ["If the first line of /etc/k0s/containerd.toml is not k0s_managed=true, the lines belong into that file."],
    wasRun: false,
  },
  {
    // https://github.com/canonical/microk8s/blob/master/microk8s-resources/default-args/containerd-template.toml
    name: "microk8s",
    title: "MicroK8s",
    kind: "kubernetes",
    recognisedBy: { files: ["/var/snap/microk8s/current", "/snap/microk8s/current"], processes: ["kubelite"] },
    socket: MICROK8S_SOCKET,
    config: {
      path: "/var/snap/microk8s/current/args/containerd.toml",
      writtenBy: "MicroK8s writes it anew from containerd-template.toml at each start",
    },
    ships: { bypasses: [] },
    binDir: DEFAULT_BIN_DIR,
    change: {
      by: "drop-in",
      file: `/var/snap/microk8s/current/args/containerd.d/${DROP_IN}`,
      restart: "microk8s stop && microk8s start",
      toImport: {
        into: "/var/snap/microk8s/current/args/containerd-template.toml",
        lines: [importLine("/var/snap/microk8s/current/args/containerd.d")],
      },
    },
    wasRun: false,
  },
  {
    // https://github.com/kubernetes-sigs/kind/tree/main/images/base/files/etc/containerd, pkg/internal/patch/toml.go
    name: "kind",
    title: "kind",
    kind: "kubernetes",
    recognisedBy: {
      files: ["/kind/version", "/kind/kubeadm.conf", "/etc/systemd/system/kubelet.service.d/11-kind.conf"],
    },
    socket: DEFAULT_SOCKET,
    config: { path: DEFAULT_CONFIG, writtenBy: "kind writes it when a cluster is made" },
    ships: { bypasses: ["discard_unpacked_layers"] },
    binDir: DEFAULT_BIN_DIR,
    change: {
      by: "kind-cluster",
      file: "the cluster's configuration (kind create cluster --config FILE)",
      restart: "recreate the cluster (kind applies patches only at creation)",
    },
    notes: ["The program, its policy and the link in bin_dir come with a node image of your own, or with extraMounts."],
    wasRun: false,
  },
  {
    // https://github.com/awslabs/amazon-eks-ami/tree/main/nodeadm/internal/containerd, nodeadm/doc/examples.md
    name: "eks-al2023",
    title: "EKS on Amazon Linux 2023",
    kind: "kubernetes",
    recognisedBy: { system: { ID: "amzn", VERSION_ID: "2023" }, files: ["/etc/eks", "/usr/bin/nodeadm"] },
    socket: DEFAULT_SOCKET,
    config: { path: DEFAULT_CONFIG, writtenBy: "nodeadm writes it anew at each boot" },
    ships: {
      bypasses: ["discard_unpacked_layers"],
      // https://github.com/awslabs/amazon-eks-ami/issues/2494
      configPath: "/etc/containerd/certs.d:/etc/docker/certs.d",
    },
    binDir: DEFAULT_BIN_DIR,
    change: {
      by: "node-config",
      file: "the node's user data (a NodeConfig)",
      restart: "replace the nodes: nodeadm reads user data at boot",
    },
    notes: [
      "With FastImagePull or SOCI, disable_snapshot_annotations = true is needed as well, and images are not pulled lazily then.",
    ],
    wasRun: false,
  },
  {
    // https://github.com/Azure/AgentBaker/blob/master/aks-node-controller/parser/templates/containerd_v2.toml.gtpl
    name: "aks",
    title: "AKS on Linux",
    kind: "kubernetes",
    recognisedBy: { files: ["/opt/azure/containers"] },
    socket: DEFAULT_SOCKET,
    config: { path: DEFAULT_CONFIG, writtenBy: "AKS writes it when a node is made" },
    ships: { bypasses: [] },
    binDir: DEFAULT_BIN_DIR,
    change: OWN_DROP_IN,
    notes: [
      "With artifact streaming AKS sets disable_snapshot_annotations = false; without the bypass images are not streamed.",
      "AKS keeps no change that was made on a node: have a DaemonSet make it on each new one.",
    ],
    wasRun: false,
  },
  {
    // https://github.com/containerd/containerd/blob/main/RELEASES.md (2.0 until March 2027), containerd#13158
    name: "gke-cos",
    title: "GKE on Container-Optimized OS",
    kind: "kubernetes",
    recognisedBy: { system: { ID: "cos" }, files: ["/etc/srv/kubernetes", "/var/lib/kubelet"] },
    socket: DEFAULT_SOCKET,
    config: { path: DEFAULT_CONFIG, writtenBy: "GKE writes it when a node is made" },
    ships: { bypasses: [] },
    change: {
      by: "nothing",
      why: "its containerd is 2.0, which asks no verifier when kubelet pulls, and its system cannot be changed",
      openFrom: [2, 1],
    },
    wasRun: false,
  },
  {
    // https://github.com/siderolabs/talos/blob/main/hack/cri-plugin.part, hack/cri-containerd.toml; siderolabs/pkgs#1475
    name: "talos",
    title: "Talos",
    kind: "kubernetes",
    recognisedBy: { system: { ID: "talos" } },
    socket: DEFAULT_SOCKET,
    config: { path: "/etc/cri/containerd.toml", writtenBy: "Talos writes it from the machine's configuration" },
    ships: { bypasses: ["use_local_image_pull", "discard_unpacked_layers"] },
    change: {
      by: "nothing",
      why: "it pulls without the transfer service, with a verifier of its own (ImageVerificationConfig), and no other verifier can be installed there",
    },
    wasRun: false,
  },
  {
    // https://kubernetes.io/docs/setup/production-environment/container-runtimes; kubespray uses kubeadm as well
    name: "kubeadm",
    title: "kubeadm",
    kind: "kubernetes",
    recognisedBy: { files: ["/var/lib/kubelet/kubeadm-flags.env"], unless: ["/kind"] },
    socket: DEFAULT_SOCKET,
    config: { path: DEFAULT_CONFIG },
    ships: { bypasses: [] },
    binDir: DEFAULT_BIN_DIR,
    change: OWN_DROP_IN,
    wasRun: false,
  },
];
