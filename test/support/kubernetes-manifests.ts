import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Certificate } from "@kubernetes-models/cert-manager/cert-manager.io/v1/Certificate";
import { Issuer } from "@kubernetes-models/cert-manager/cert-manager.io/v1/Issuer";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { MutatingWebhookConfiguration } from "kubernetes-models/admissionregistration.k8s.io/v1/MutatingWebhookConfiguration";
import { ValidatingAdmissionPolicy } from "kubernetes-models/admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy";
import { ValidatingAdmissionPolicyBinding } from "kubernetes-models/admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding";
import { ValidatingWebhookConfiguration } from "kubernetes-models/admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Role } from "kubernetes-models/rbac.authorization.k8s.io/v1/Role";
import { RoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Pod } from "kubernetes-models/v1/Pod";
import { ResourceQuota } from "kubernetes-models/v1/ResourceQuota";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { parseAllDocuments } from "yaml";

// The files for clusters, and the schemas that Kubernetes, cert-manager and the Prometheus operator publish.

export const KUBERNETES = join(import.meta.dirname, "../../integrations/kubernetes");

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

/** Paths of all files below integrations/kubernetes with this ending, relative to it. */
export function kubernetesFiles(ending: string): readonly string[] {
  return readdirSync(KUBERNETES, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .toSorted();
}

/** The documents of a file, by its path relative to integrations/kubernetes; strict: a key that stands twice throws. */
export function documentsOf<T = Manifest>(file: string): readonly T[] {
  return manifestsIn<T>(readFileSync(join(KUBERNETES, file), "utf8"));
}

export function manifestsIn<T = Manifest>(text: string): readonly T[] {
  return parseAllDocuments(text, { version: "1.1", uniqueKeys: true }).map((document) => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem;
    return document.toJS() as T;
  });
}

interface Model {
  readonly apiVersion: string;
  readonly kind: string;
  readonly prototype: { validate(): void };
}

const MODELS: readonly Model[] = [
  Certificate,
  ConfigMap,
  Deployment,
  Issuer,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Pod,
  PodDisruptionBudget,
  PrometheusRule,
  ResourceQuota,
  Role,
  RoleBinding,
  Secret,
  Service,
  ServiceAccount,
  ServiceMonitor,
  StatefulSet,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
];

function modelOf({ apiVersion, kind }: Manifest): Model | undefined {
  return MODELS.find((model) => model.apiVersion === apiVersion && model.kind === kind);
}

/**
 * What is wrong with an object by the published schema: a value of another type, a missing key, and a key that the schema
 * does not know, which the API server would drop. JSON pointers and messages.
 */
export function schemaProblems(manifest: Manifest): readonly string[] {
  const read = new Map<object, Set<string>>();
  const model = modelOf(manifest);
  if (model === undefined) return [`${manifest.apiVersion} ${manifest.kind}: no schema is known`];
  try {
    model.prototype.validate.call(recording(manifest, read));
  } catch (error) {
    return [String(error)];
  }
  return unread(manifest, read, "");
}

/** The validators of the package pass over unknown keys, as they never read them: so what is read is noted. */
function recording<T extends object>(target: T, read: Map<object, Set<string>>): T {
  const keys = read.get(target) ?? new Set<string>();
  read.set(target, keys);
  return new Proxy(target, {
    get(of, key) {
      if (typeof key === "string") keys.add(key);
      const value: unknown = Reflect.get(of, key);
      return typeof value === "object" && value !== null ? recording(value, read) : value;
    },
  });
}

function unread(value: unknown, read: ReadonlyMap<object, ReadonlySet<string>>, at: string): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    read.get(value)?.has(key) === true ? unread(inner, read, `${at}/${key}`) : [`${at}/${key}: an unknown key`],
  );
}
