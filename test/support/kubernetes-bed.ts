import { TestNode } from "./binary.ts";
import { demand } from "./caching-world.ts";
import { type ApiOptions, type ApiReply, KubernetesApi } from "./kubernetes-api.ts";
import { type KubernetesObject, webhook, webhookConfiguration } from "./kubernetes-objects.ts";
import { ServeDaemon } from "./serve-daemon.ts";

/** Which webhooks are asked about a namespace's pods; with `off` none is. */
export type Mode = "enforce" | "pin" | "audit" | "down" | "off";

const MODE = "example.com/mode";
const selector = (...modes: readonly Mode[]) => ({
  namespaceSelector: { matchExpressions: [{ key: MODE, operator: "In", values: modes }] },
});
const PODS = [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE", "UPDATE"] }] as const;
const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";

/** The order in which the API server calls mutating webhooks is that of their configurations' names. */
const SIDECAR = "z-sidecar";

/** An API server that asks `atcr-verify serve`: which webhook, by the labels of namespaces. */
export class KubernetesBed {
  readonly node: TestNode;
  readonly serve: ServeDaemon;
  readonly api: KubernetesApi;

  private constructor(node: TestNode, serve: ServeDaemon, api: KubernetesApi) {
    this.node = node;
    this.serve = serve;
    this.api = api;
  }

  /** @param options of the API server, which may ask this server before all webhooks */
  static async start(options: (serve: ServeDaemon) => ApiOptions = () => ({})): Promise<KubernetesBed> {
    const node = await TestNode.start();
    demand(node);
    const audited = { version: 1, trustedDIDs: { [node.signer.did]: {} } };
    const rule = { name: "all", scope: "**/*", action: "audit" };
    const staging = node.policy(JSON.stringify({ ...audited, policies: [rule] }), "staging.yaml");
    // Of the loopback addresses, those of the stand-ins alone.
    const settings = { network: { allow: ["127.0.0.1/32", "::1"] } };
    const serve = await ServeDaemon.start(node, { settings, server: { policies: { staging } } });
    const bed = new KubernetesBed(node, serve, await KubernetesApi.start(options(serve)));
    await bed.#register();
    return bed;
  }

  async #register(): Promise<void> {
    const to = (path: string, changes: object) =>
      webhook(path.slice(1).replaceAll("/", "-"), { url: `${this.serve.origin}${path}`, ca: this.serve.ca, changes });
    const down = { ...selector("down"), clientConfig: { url: "https://127.0.0.1:1/admit" } };
    const validating = [
      to("/admit", selector("enforce", "pin")),
      to("/admit/staging", selector("audit")),
      to("/admit/down", down),
    ];
    const pin = { ...selector("pin"), rules: PODS, reinvocationPolicy: "IfNeeded" };
    await this.register(webhookConfiguration("Validating", "atcr-verify", ...validating));
    await this.register(webhookConfiguration("Mutating", "atcr-verify", to("/mutate", pin)));
    // Until the API server has read them, it asks nobody.
    const name = await this.namespace("enforce", "until-registered");
    const end = performance.now() + 20_000;
    const unsigned = `${this.node.registry.authority}/alice/app:v1`;
    const probe = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe" } };
    const spec = { automountServiceAccountToken: false, containers: [{ name: "c", image: unsigned }] };
    while ((await this.create(name, { ...probe, spec }, "?dryRun=All")).status === 201) {
      if (performance.now() > end) throw new Error("the API server does not call its webhooks");
    }
  }

  async register(configuration: KubernetesObject): Promise<void> {
    const kind = String(configuration["kind"]).toLowerCase();
    const { status, message } = await this.api.call("POST", `${REGISTRATION}/${kind}s`, configuration);
    if (status !== 201) throw new Error(`${kind}: ${status} ${message}`);
  }

  /** Registers a webhook of somebody else's that is called after this one's, for `pin`. */
  async registerSidecar(url: string): Promise<void> {
    const changes = { ...selector("pin"), rules: PODS };
    await this.register(
      webhookConfiguration("Mutating", SIDECAR, webhook(SIDECAR, { url, ca: this.serve.ca, changes })),
    );
  }

  /** Makes a namespace. @returns its name */
  async namespace(mode: Mode, name: string = mode): Promise<string> {
    const metadata = { name, labels: { [MODE]: mode } };
    const body = { apiVersion: "v1", kind: "Namespace", metadata };
    const { status, message } = await this.api.call("POST", "/api/v1/namespaces", body);
    if (status !== 201) throw new Error(`namespace ${name}: ${status} ${message}`);
    return name;
  }

  async setMode(namespace: string, mode: Mode): Promise<void> {
    const { status, message } = await this.patch(`/api/v1/namespaces/${namespace}`, {
      metadata: { labels: { [MODE]: mode } },
    });
    if (status !== 200) throw new Error(`namespace ${namespace}: ${status} ${message}`);
  }

  create(namespace: string, object: KubernetesObject, query = ""): Promise<ApiReply> {
    const path = object["kind"] === "Pod" ? "/api/v1" : `/apis/${String(object["apiVersion"])}`;
    const resource = `${String(object["kind"]).toLowerCase()}s`;
    return this.api.call("POST", `${path}/namespaces/${namespace}/${resource}${query}`, object);
  }

  patch(path: string, body: object): Promise<ApiReply> {
    return this.api.call("PATCH", path, body, "application/strategic-merge-patch+json");
  }

  /** An image of the node's registry, with its tag and digest. */
  async image(salt: string, options: { signed?: boolean } = {}): Promise<string> {
    const { digest } = await this.node.image(salt, options);
    return `${this.node.registry.authority}/alice/app@${digest}`;
  }

  async stop(): Promise<void> {
    await this.api.stop();
    await this.serve.stop();
    await this.node.stop();
  }
}

/** The images of a pod's containers. */
export function imagesIn({ body }: ApiReply): readonly string[] {
  const { containers = [] } = (body["spec"] ?? {}) as { containers?: readonly { image: string }[] };
  return containers.map(({ image }) => image);
}
