/**
 * Flatcar: sdk_container/src/third_party/coreos-overlay/app-containers/containerd/files/config.toml of
 * https://github.com/flatcar/scripts. Bottlerocket: packages/containerd-2.1/containerd-config-toml_k8s_containerd_sock of
 * https://github.com/bottlerocket-os/bottlerocket-core-kit. Talos: hack/cri-containerd.toml and hack/cri-plugin.part of
 * https://github.com/siderolabs/talos.
 */
import type { RecordedNode } from "./recorded-node.ts";

const FLATCAR = `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
subreaper = true
oom_score = -999
disabled_plugins = []

[grpc]
address = "/run/containerd/containerd.sock"
uid = 0
gid = 0

[plugins."io.containerd.grpc.v1.cri"]
enable_selinux = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
`;
const ON_FLATCAR = {
  "/usr/lib/os-release": 'NAME="Flatcar Container Linux by Kinvolk"\nID=flatcar\nID_LIKE=coreos\nVERSION_ID=4790.0.0\n',
  "/usr/share/containerd/config.toml": FLATCAR,
};

export const SYSTEM_NODES: readonly RecordedNode[] = [
  {
    name: "flatcar",
    recognised: ["flatcar"],
    files: ON_FLATCAR,
    processes: ["systemd", "containerd"],
    configPath: "/usr/share/containerd/config.toml",
    version: "2.2.5",
    images: {},
    isOpen: true,
  },
  {
    name: "kubeadm",
    variant: "on Flatcar",
    recognised: ["kubeadm", "flatcar"],
    files: { ...ON_FLATCAR, "/var/lib/kubelet/kubeadm-flags.env": "" },
    processes: ["systemd", "containerd", "kubelet"],
    configPath: "/usr/share/containerd/config.toml",
    version: "2.2.5",
    images: {},
    isOpen: true,
  },
  {
    name: "bottlerocket",
    recognised: ["bottlerocket"],
    files: {
      "/etc/os-release": 'NAME=Bottlerocket\nID=bottlerocket\nVERSION_ID=1.65.0\nVARIANT_ID="aws-k8s-1.35"\n',
      "/etc/containerd/config.toml": `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
imports = ["/etc/containerd/config.d/*.toml"]

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.cri.v1.images"]
use_local_image_pull = false

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "localhost/kubernetes/pause:0.1.0"

[plugins."io.containerd.cri.v1.runtime"]
enable_selinux = true

[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d"
`,
    },
    processes: ["systemd", "containerd", "kubelet"],
    configPath: "/etc/containerd/config.toml",
    version: "2.1.5",
    images: {},
    isOpen: true,
  },
  {
    name: "talos",
    recognised: ["talos"],
    files: {
      "/etc/os-release": 'NAME="Talos"\nID=talos\nVERSION_ID=v1.13.0\n',
      "/etc/cri/containerd.toml":
        'version = 3\nimports = ["/etc/cri/conf.d/cri.toml"]\n[debug]\nlevel = "info"\nformat = "json"\n',
      "/etc/cri/conf.d/cri.toml":
        'version = 3\n[plugins."io.containerd.cri.v1.images"]\n  discard_unpacked_layers = true\n  use_local_image_pull = true\n[plugins."io.containerd.nri.v1.nri"]\n  disable = true\n',
    },
    processes: ["machined", "containerd", "kubelet"],
    configPath: "/etc/cri/containerd.toml",
    version: "2.3.4",
    images: { use_local_image_pull: true, discard_unpacked_layers: true },
    isOpen: false,
  },
];
