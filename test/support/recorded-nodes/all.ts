import { CLOUDS } from "./clouds.ts";
import { KUBERNETES_NODES } from "./kubernetes.ts";
import { RANCHER } from "./rancher.ts";
import type { RecordedNode } from "./recorded-node.ts";
import { SYSTEM_NODES } from "./systems.ts";

export const RECORDED_NODES: readonly RecordedNode[] = [...RANCHER, ...KUBERNETES_NODES, ...CLOUDS, ...SYSTEM_NODES];
