/**
 * kind: images/base/files/etc/containerd/config.toml of https://github.com/kubernetes-sigs/kind (fed26882). k0s:
 * docs/runtime.md of https://github.com/k0sproject/k0s. MicroK8s: microk8s-resources/default-args/containerd-template.toml
 * of https://github.com/canonical/microk8s (d099c907). kubeadm: what `containerd config default` prints, shortened.
 */
import { type RecordedNode, UBUNTU } from "./recorded-node.ts";

const CONFIG = "/etc/containerd/config.toml";
const DEBIAN = { "/etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\n" };

const KIND = `version = 2

[proxy_plugins]
[proxy_plugins."fuse-overlayfs"]
  type = "snapshot"
  address = "/run/containerd-fuse-overlayfs.sock"

[plugins."io.containerd.grpc.v1.cri".containerd]
  discard_unpacked_layers = true
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "/etc/containerd/cri-base.json"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  tolerate_missing_hugepages_controller = true
  restrict_oom_score_adj = false
`;

/** As MicroK8s writes it, with what an administrator put into the template. */
function microk8s(cri = ""): string {
  const data = "/var/snap/microk8s/8000";
  return `version = 2
oom_score = 0

[grpc]
  uid = 0
  gid = 0
  max_recv_message_size = 16777216

[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  sandbox_image = "registry.k8s.io/pause:3.10"
${cri}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${data}/args/certs.d"
`;
}

function kubeadm(images: string, version = 3): string {
  return `version = ${version}
root = '/var/lib/containerd'
state = '/run/containerd'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
${images}
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'
`;
}

const MICROK8S = "/var/snap/microk8s/current/args/containerd.toml";
const OF_KUBEADM = { "/var/lib/kubelet/kubeadm-flags.env": "", "/etc/kubernetes/kubelet.conf": "" };
const RUNNING = ["systemd", "containerd", "kubelet"];
const ALL = {
  use_local_image_pull: true,
  discard_unpacked_layers: true,
  disable_snapshot_annotations: false,
  max_concurrent_downloads: 8,
  image_pull_with_sync_fs: true,
};
const asToml = (values: object) => Object.entries(values).map(([key, value]) => `  ${key} = ${value}\n`);

export const KUBERNETES_NODES: readonly RecordedNode[] = [
  {
    name: "kind",
    recognised: ["kind"],
    files: { ...DEBIAN, ...OF_KUBEADM, "/kind/version": "v1.36.2", "/kind/kubeadm.conf": "", [CONFIG]: KIND },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.3.4",
    images: { discard_unpacked_layers: true },
    isOpen: true,
  },
  {
    name: "k0s",
    recognised: ["k0s"],
    files: {
      ...UBUNTU,
      "/var/lib/k0s/bin/containerd": "",
      "/etc/k0s/containerd.toml":
        '# k0s_managed=true\nversion = 3\nimports = ["/run/k0s/containerd-cri.toml"]\nroot = "/var/lib/k0s/containerd"\nstate = "/run/k0s/containerd"\n',
      "/run/k0s/containerd-cri.toml":
        'version = 3\n[plugins."io.containerd.cri.v1.images"]\n  discard_unpacked_layers = false\n[plugins."io.containerd.cri.v1.images".pinned_images]\n  sandbox = "registry.k8s.io/pause:3.10"\n',
    },
    processes: ["k0s", "containerd", "kubelet"],
    configPath: "/etc/k0s/containerd.toml",
    version: "2.3.4",
    images: {},
    isOpen: true,
  },
  {
    name: "microk8s",
    recognised: ["microk8s"],
    files: { ...UBUNTU, [MICROK8S]: microk8s() },
    processes: ["systemd", "containerd", "kubelite"],
    configPath: MICROK8S,
    version: "2.2.3",
    images: {},
    isOpen: true,
  },
  {
    name: "microk8s",
    variant: "with more downloads at once, by an administrator",
    recognised: ["microk8s"],
    files: { ...UBUNTU, [MICROK8S]: microk8s("  max_concurrent_downloads = 10") },
    processes: ["systemd", "containerd", "kubelite"],
    configPath: MICROK8S,
    version: "2.2.3",
    images: { max_concurrent_downloads: 10 },
    isOpen: true,
  },
  {
    name: "kubeadm",
    recognised: ["kubeadm"],
    files: { ...UBUNTU, ...OF_KUBEADM, [CONFIG]: kubeadm("") },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.2.1",
    images: {},
    isOpen: true,
  },
  {
    name: "kubeadm",
    variant: "with every bypass, by an administrator",
    recognised: ["kubeadm"],
    files: { ...DEBIAN, ...OF_KUBEADM, [CONFIG]: kubeadm(asToml(ALL).join("")) },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.1.9",
    images: ALL,
    isOpen: true,
  },
  {
    name: "kubeadm",
    variant: "with a configuration of version 4, as kubespray writes it for containerd 2.3",
    recognised: ["kubeadm"],
    files: { ...UBUNTU, ...OF_KUBEADM, [CONFIG]: kubeadm(asToml(ALL).join(""), 4) },
    processes: RUNNING,
    configPath: CONFIG,
    version: "2.3.4",
    isTooNew: true,
    images: ALL,
    isOpen: true,
  },
];
