/** Linux systems for containers, whatever Kubernetes runs on them, and a containerd on any other. */
import { DEFAULT_BIN_DIR, DEFAULT_CONFIG } from "../containerd/inspect.ts";
import { DEFAULT_SOCKET } from "../containerd/known-sockets.ts";
import type { Distribution } from "./distribution.ts";
import { OWN_DROP_IN } from "./kubernetes.ts";

export const SYSTEMS: readonly Distribution[] = [
  {
    // https://github.com/flatcar/scripts, coreos-overlay/app-containers/containerd/files
    name: "flatcar",
    title: "Flatcar",
    kind: "system",
    recognisedBy: { system: { ID: "flatcar" } },
    socket: DEFAULT_SOCKET,
    config: { path: "/usr/share/containerd/config.toml", writtenBy: "it is part of the read-only system" },
    ships: { bypasses: [] },
    binDir: DEFAULT_BIN_DIR,
    change: OWN_DROP_IN,
    notes: [
      "Where containerd still runs with /usr/share/containerd/config.toml: copy it to /etc/containerd/config.toml, and set CONTAINERD_CONFIG to the copy in a drop-in of containerd.service.",
    ],
    wasRun: false,
  },
  {
    // https://bottlerocket.dev/en/os/1.65.x/api/settings/image-verifier-plugins/
    name: "bottlerocket",
    title: "Bottlerocket",
    kind: "system",
    recognisedBy: { system: { ID: "bottlerocket" } },
    socket: DEFAULT_SOCKET,
    config: { path: DEFAULT_CONFIG, writtenBy: "Bottlerocket writes it from its settings" },
    ships: { bypasses: [] },
    binDir: "/opt/civ/bin",
    change: {
      by: "settings",
      file: "the node's user data (TOML settings)",
      restart: "replace the nodes, or apply the settings with apiclient and restart the node",
      lines: ["[settings.image-verifier-plugins]", "enabled = true"],
    },
    notes: [
      "For Kubernetes 1.33 or later, aws-ecs-3 and aws-ecs-4.",
      "A bootstrap container of your own installs the program to /opt/civ/bin, and its configuration, at each boot.",
    ],
    wasRun: false,
  },
];

/** A containerd of which nothing else is known. */
export const PLAIN: Distribution = {
  name: "containerd",
  title: "this node's containerd",
  kind: "system",
  recognisedBy: {},
  socket: DEFAULT_SOCKET,
  config: { path: DEFAULT_CONFIG },
  ships: { bypasses: [] },
  binDir: DEFAULT_BIN_DIR,
  change: OWN_DROP_IN,
  wasRun: true,
};
