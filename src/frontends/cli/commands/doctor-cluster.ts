import { DEFAULT_CONFIG } from "../../../core/config/config.ts";
import { reject } from "../../../core/rejection.ts";
import { BUILD } from "../../../core/version.ts";
import { type CheckResult, warning } from "../../../doctor/check.ts";
import { checkCluster } from "../../../doctor/cluster-checks.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { apiClient } from "../../../platform/kubernetes/api-client.ts";
import { type ChosenCluster, chooseCluster, clusterByProxy } from "../../../platform/kubernetes/kubeconfig.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { tellOfChecks } from "../terminal/check-results.ts";

type Options = LineOf<"doctor">["options"];

/** Options about a cluster, and about a node: one of both is ignored, so it is refused. */
const OF_CLUSTER = ["kubeconfig", "context", "namespace", "server"] as const;
const OF_NODE = ["probe", "offline", "containers", "address", "containerd-config"] as const;

/** @throws Rejection input.malformed for options about a cluster without --cluster */
export function assertOfNode(options: Options): void {
  const found = OF_CLUSTER.find((name) => options[name] !== undefined);
  if (found !== undefined) reject("input.malformed", `--${found} is about a cluster: add --cluster, or remove it`);
}

/** `atcr-verify doctor --cluster`: whether a cluster verifies its pods' images. This node is not looked at. */
export async function doctorCluster(options: Options, lifecycle: ProcessLifecycle): Promise<never> {
  const ofNode = OF_NODE.find((name) => options[name] !== undefined && options[name] !== false);
  if (ofNode !== undefined) reject("input.malformed", `--${ofNode} is about a node: remove it, or --cluster`);
  const { environment, deadline } = lifecycle;
  const cluster = await chosen(options, lifecycle);
  const { access, from } = cluster;
  const config = options.config === undefined ? DEFAULT_CONFIG : loadConfig(environment, options.config);
  const findings = await checkCluster({
    ask: apiClient(access, environment, deadline),
    server: `${access.server} (${from})`,
    namespace: options.namespace ?? cluster.namespace ?? "default",
    deadline: config.deadline,
    resolvesTags: config.server?.tags === "resolve-unpinned",
    now: Date.now(),
    build: BUILD,
  });
  return tellOfChecks([...checkTls(cluster), ...findings], options.output, lifecycle);
}

function chosen(options: Options, { environment }: ProcessLifecycle): Promise<ChosenCluster> | ChosenCluster {
  const { server, kubeconfig, context } = options;
  if (server === undefined) {
    return chooseCluster({ ...(kubeconfig && { file: kubeconfig }), ...(context && { context }) }, environment);
  }
  if (kubeconfig !== undefined || context !== undefined)
    reject("input.malformed", "--server takes the place of a kubeconfig: remove it, or --kubeconfig and --context");
  return clusterByProxy(server);
}

function checkTls({ access, from }: ChosenCluster): readonly CheckResult[] {
  if (!access.skipVerify) return [];
  const found = `${from} has insecure-skip-tls-verify: it is not known that ${access.server} is the cluster's API server, and it was sent the credentials`;
  return [warning("cluster-tls", found, "name the cluster's authority by certificate-authority-data instead")];
}
