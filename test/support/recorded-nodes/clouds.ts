/**
 * Nodes that clouds make. EKS: nodeadm/internal/containerd/config2.template.toml of https://github.com/awslabs/amazon-eks-ami
 * (81fec2e8); AKS: aks-node-controller/parser/templates/containerd_v2_no_GPU.toml.gtpl of https://github.com/Azure/AgentBaker
 * (06836ee2). GKE publishes no template: what of it is here is guessed, but for os-release and the version.
 */
import { type RecordedNode, UBUNTU } from "./recorded-node.ts";

const CONFIG = "/etc/containerd/config.toml";

function eks(images: string): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "/run/containerd/containerd.sock"

[plugins.'io.containerd.cri.v1.images']
discard_unpacked_layers = true
${images}
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "localhost/kubernetes/pause"

[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"

[plugins.'io.containerd.cri.v1.runtime']
enable_cdi = true

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "/etc/containerd/base-runtime-spec.json"
`;
}

function aks(images: string): string {
  return `version = 2
oom_score = -999
[plugins."io.containerd.cri.v1.images"]
${images}
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "mcr.microsoft.com/oss/kubernetes/pause:3.6"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.cri.v1.images".registry.headers]
    X-Meta-Source-Client = ["azure/aks"]
[plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
[metrics]
  address = "0.0.0.0:10257"
`;
}

const EKS = {
  "/etc/os-release": 'NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n',
  "/usr/bin/nodeadm": "",
  "/etc/eks/": "",
};
const RUNNING = ["systemd", "containerd", "kubelet"];

export const CLOUDS: readonly RecordedNode[] = [
  {
    name: "eks-al2023",
    recognised: ["eks-al2023"],
    files: { ...EKS, [CONFIG]: eks("") },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.3.3",
    images: { discard_unpacked_layers: true },
    isOpen: true,
  },
  {
    name: "eks-al2023",
    variant: "with the SOCI snapshotter",
    recognised: ["eks-al2023"],
    files: { ...EKS, [CONFIG]: eks('snapshotter = "soci"\ndisable_snapshot_annotations = false\n') },
    processes: [...RUNNING, "soci-snapshotter-grpc"],
    configPath: CONFIG,
    version: "2.3.3",
    images: { discard_unpacked_layers: true, disable_snapshot_annotations: false },
    isOpen: true,
  },
  {
    name: "aks",
    recognised: ["aks"],
    files: { ...UBUNTU, "/opt/azure/containers/": "", "/etc/kubernetes/azure.json": "", [CONFIG]: aks("") },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.3.3",
    images: {},
    isOpen: true,
  },
  {
    name: "aks",
    variant: "with artifact streaming",
    recognised: ["aks"],
    files: {
      ...UBUNTU,
      "/opt/azure/containers/": "",
      [CONFIG]: aks('  snapshotter = "overlaybd"\n  disable_snapshot_annotations = false'),
    },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.3.3",
    images: { disable_snapshot_annotations: false },
    isOpen: true,
  },
  {
    name: "gke-cos",
    recognised: ["gke-cos"],
    files: {
      "/etc/os-release": 'NAME="Container-Optimized OS"\nID=cos\nVERSION_ID=121\n',
      "/var/lib/kubelet/": "",
      [CONFIG]:
        'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/hosts.d"\n',
    },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.0.7",
    images: {},
    isOpen: false,
  },
];
