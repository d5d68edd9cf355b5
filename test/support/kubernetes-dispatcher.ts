import { realPart } from "./kubernetes-api.ts";
import type { KubernetesObject } from "./kubernetes-objects.ts";
import { LineProcess } from "./line-process.ts";

/** A request to an API server. */
export interface Dispatched {
  /** Default CREATE. */
  readonly operation?: "CREATE" | "UPDATE" | "DELETE";
  /** Default `default`. */
  readonly namespace?: string;
  /** Default `pods`. */
  readonly resource?: string;
  readonly subResource?: string;
  readonly object?: KubernetesObject;
  readonly oldObject?: KubernetesObject;
  readonly dryRun?: boolean;
}

export interface Verdict {
  readonly allowed: boolean;
  /** Of a refusal. */
  readonly code?: number;
  readonly message?: string;
  readonly warnings: readonly string[];
  /** For the audit log. */
  readonly annotations: Readonly<Record<string, string>>;
  /** As the mutating webhooks left it. */
  readonly object?: { readonly spec?: Readonly<Record<string, unknown>> };
  /** The version of TLS of each answer of a webhook: `TLS 1.3`. */
  readonly tls?: readonly string[];
}

/** Webhooks as their configuration objects list them, and labels by namespace. */
export interface Cluster {
  readonly validating?: readonly object[];
  readonly mutating?: readonly object[];
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The newest TLS that webhooks are offered; default: what the library offers. */
  readonly maxTls?: "1.2";
}

/** As the protocol numbers it (RFC 5246, 7.4.1.3). */
const TLS_VERSIONS = { "1.2": 0x0303 } as const;

/** The admission plug-ins of Kubernetes' API server library: test/support/go/dispatcher. */
export class Dispatcher {
  readonly #process = new LineProcess(realPart("dispatcher"));

  /** Sends the requests in their order, over connections that the plug-in keeps. */
  dispatch(cluster: Cluster, ...requests: readonly Dispatched[]): Promise<readonly Verdict[]> {
    const { validating = [], mutating = [], namespaces = { default: {} }, maxTls } = cluster;
    const maxVersion = maxTls === undefined ? 0 : TLS_VERSIONS[maxTls];
    const asked = requests.map((one) => ({
      operation: "CREATE",
      namespace: "default",
      resource: "pods",
      user: "a-user",
      name: nameOf(one.object ?? one.oldObject),
      ...one,
    }));
    return this.#process.ask({ validating, mutating, namespaces, maxVersion, requests: asked });
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

function nameOf(object: KubernetesObject | undefined): string {
  return (object?.["metadata"] as { name?: string } | undefined)?.name ?? "";
}
