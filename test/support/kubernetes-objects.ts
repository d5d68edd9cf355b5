/** Objects of Kubernetes as the tests write them: JSON, with no more than what an API server demands. */

export type KubernetesObject = Readonly<Record<string, unknown>>;

/** A container for each image; `spec` has the rest of the pod. */
export function pod(
  name: string,
  images: readonly string[],
  spec: object = {},
  metadata: object = {},
): KubernetesObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, ...metadata }, spec: podSpec(images, spec) };
}

/** Without a service account: there is none where no controller makes them. */
export function podSpec(images: readonly string[], spec: object = {}): object {
  const containers = images.map((image, index) => ({ name: `c${index}`, image }));
  return { automountServiceAccountToken: false, containers, ...spec };
}

export function deployment(name: string, images: readonly string[]): KubernetesObject {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(images) };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name }, spec };
}

/** A webhook at a URL, as its configuration object lists it; `changes` replace what is given here. */
export interface Hook {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly changes?: object;
}

const EVERYTHING = [
  { apiGroups: [""], apiVersions: ["v1"], resources: ["pods", "pods/ephemeralcontainers"] },
  { apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments"] },
].map((rule) => ({ ...rule, operations: ["CREATE", "UPDATE"] }));

/** A webhook of a configuration object; its name is what refusals and audit annotations say. */
export function webhook(name: string, { url, ca, changes = {} }: Hook): object {
  return {
    name: `${name}.atcr-verify.example`,
    clientConfig: { url, caBundle: Buffer.from(ca).toString("base64") },
    rules: EVERYTHING,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Fail",
    timeoutSeconds: 10,
    ...changes,
  };
}

/** @param kind of the configuration */
export function webhookConfiguration(
  kind: "Validating" | "Mutating",
  name: string,
  ...webhooks: readonly object[]
): KubernetesObject {
  const apiVersion = "admissionregistration.k8s.io/v1";
  return { apiVersion, kind: `${kind}WebhookConfiguration`, metadata: { name }, webhooks };
}
