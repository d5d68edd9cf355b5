import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { CertificateAuthority } from "./certificates.ts";
import { debianTool, missingTool } from "./debian-tools.ts";
import { freePort } from "./free-port.ts";
import { makeTemporaryDirectory, type ServerProcess, startServer } from "./process.ts";

/** Where packaging/real-parts/build.sh puts what it builds. */
export function realPart(name: string): string {
  return join(import.meta.dirname, "../../build/kubernetes", name);
}

/** What to pass to `requirement` for a part of Kubernetes. */
export function missingPart(name: string): string | undefined {
  return existsSync(realPart(name))
    ? undefined
    : `${name} is not in build/kubernetes: run make kube-apiserver kubernetes-programs (on Debian 12 or later)`;
}

/** What to pass to `requirement` for {@link KubernetesApi}. */
export const missingKubernetesApi = (): readonly (string | undefined)[] => [
  missingPart("kube-apiserver"),
  missingTool("etcd"),
];

export interface ApiReply {
  readonly status: number;
  /** The object, or `Status` of a refusal. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Texts of the `Warning` headers. */
  readonly warnings: readonly string[];
  /** `message` of a `Status`. */
  readonly message: string;
}

/** An ImagePolicyWebhook: the API server asks `url`, whose certificate `ca` (PEM) issued. */
export interface ImagePolicy {
  readonly url: string;
  readonly ca: string;
  /** Seconds for which it keeps what was allowed. */
  readonly allowTTL?: number;
}

export interface ApiOptions {
  readonly imagePolicy?: ImagePolicy;
  readonly featureGates?: string;
}

export interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly objectRef?: { readonly resource?: string; readonly name?: string; readonly namespace?: string };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly responseStatus?: { readonly code?: number };
}

const TOKEN = "token-of-the-tests";
const PATIENCE = 60_000;

/**
 * A kube-apiserver and its etcd on loopback, with an audit log, and everybody allowed everything. There is no kubelet and
 * no controller: what is created is only stored.
 */
export class KubernetesApi {
  readonly folder: string;
  readonly port: number;
  readonly #agent = new Agent({ keepAlive: true, rejectUnauthorized: true });
  readonly #processes: ServerProcess[] = [];
  #authority = new CertificateAuthority("Kubernetes");

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async start(options: ApiOptions = {}): Promise<KubernetesApi> {
    const api = new KubernetesApi(makeTemporaryDirectory("kubernetes"), await freePort());
    try {
      const etcd = await api.#startEtcd();
      await api.#startServer(etcd, options);
      await api.#defaultNamespace();
      return api;
    } catch (error) {
      await api.stop();
      throw error;
    }
  }

  async #startEtcd(): Promise<string> {
    const [client, peer] = [await freePort(), await freePort()];
    const url = `http://127.0.0.1:${client}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    const urls = ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peerUrl];
    const cluster = ["--initial-advertise-peer-urls", peerUrl, "--initial-cluster", `default=${peerUrl}`];
    const process = await startServer({
      name: "etcd",
      command: debianTool("etcd"),
      args: ["--data-dir", join(this.folder, "etcd"), ...urls, ...cluster],
      env: { HOME: this.folder },
      logFile: join(this.folder, "etcd.log"),
      ready: (log) => log.includes("ready to serve client requests"),
      readyTimeout: PATIENCE,
    });
    this.#processes.push(process);
    return url;
  }

  async #startServer(etcd: string, { imagePolicy, featureGates }: ApiOptions): Promise<void> {
    const tls = this.#authority.issue({ names: ["127.0.0.1", "localhost"] });
    const key = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const secret = this.#write("account.key", key.privateKey.export({ type: "pkcs1", format: "pem" }).toString());
    const policy = { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "Metadata" }] };
    const isForced = imagePolicy === undefined ? [] : ["--enable-admission-plugins=ImagePolicyWebhook"];
    const flags = {
      "etcd-servers": etcd,
      "bind-address": "127.0.0.1",
      "secure-port": this.port,
      "tls-cert-file": this.#write("server.pem", tls.cert),
      "tls-private-key-file": this.#write("server.key", tls.key),
      "token-auth-file": this.#write("tokens.csv", `${TOKEN},admin,admin,"system:masters"\n`),
      "authorization-mode": "AlwaysAllow",
      "service-cluster-ip-range": "10.0.0.0/24",
      "service-account-issuer": "https://kubernetes.invalid",
      "service-account-key-file": secret,
      "service-account-signing-key-file": secret,
      "disable-admission-plugins": "ServiceAccount",
      "admission-control-config-file": this.#admissionConfiguration(imagePolicy),
      "runtime-config": "imagepolicy.k8s.io/v1alpha1=true",
      "audit-log-path": this.#path("audit.log"),
      "audit-policy-file": this.#write("audit-policy.json", JSON.stringify(policy)),
      "cert-dir": this.#path("certificates"),
      ...(featureGates !== undefined && { "feature-gates": featureGates }),
    };
    const process = await startServer({
      name: "kube-apiserver",
      command: realPart("kube-apiserver"),
      args: [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), ...isForced],
      env: { HOME: this.folder, PATH: "/usr/bin:/bin" },
      logFile: join(this.folder, "apiserver.log"),
      ready: async () => {
        const reply = await this.call("GET", "/readyz").catch(() => undefined);
        return reply?.status === 200;
      },
      readyTimeout: PATIENCE,
    });
    this.#processes.unshift(process); // it ends before its etcd
  }

  #admissionConfiguration(imagePolicy: ImagePolicy | undefined): string {
    const plugins = imagePolicy === undefined ? [] : [this.#imagePolicyPlugin(imagePolicy)];
    const configuration = { apiVersion: "apiserver.config.k8s.io/v1", kind: "AdmissionConfiguration", plugins };
    return this.#write("admission.json", JSON.stringify(configuration));
  }

  #imagePolicyPlugin({ url, ca, allowTTL = 1 }: ImagePolicy): object {
    const kubeconfig = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "gate", cluster: { server: url, "certificate-authority": this.#write("gate-ca.pem", ca) } }],
      users: [{ name: "api", user: {} }],
      contexts: [{ name: "gate", context: { cluster: "gate", user: "api" } }],
      "current-context": "gate",
    };
    const kubeConfigFile = this.#write("gate.kubeconfig", JSON.stringify(kubeconfig));
    const imagePolicy = { kubeConfigFile, allowTTL, denyTTL: 1, retryBackoff: 50, defaultAllow: false };
    // Inline, as integrations/kubernetes has it.
    return { name: "ImagePolicyWebhook", configuration: { imagePolicy } };
  }

  /** The namespace `default` is made by a controller some time after the start. */
  async #defaultNamespace(): Promise<void> {
    const end = performance.now() + PATIENCE;
    while ((await this.call("GET", "/api/v1/namespaces/default")).status !== 200) {
      if (performance.now() > end) throw new Error("the namespace default did not appear");
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  #path(name: string): string {
    return join(this.folder, name);
  }

  #write(name: string, content: string): string {
    writeFileSync(this.#path(name), content, { mode: 0o600 });
    return this.#path(name);
  }

  /** Calls the API as its administrator. @param path with its query */
  call(method: string, path: string, body?: object, contentType = "application/json"): Promise<ApiReply> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const sent = text === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(text) };
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "application/json", ...sent };
    const { port } = this;
    const options = { host: "127.0.0.1", port, method, path, headers, agent: this.#agent, ca: this.#authority.cert };
    return new Promise((done, fail) => {
      const asking = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => done(reply(response.statusCode ?? 0, response.headers, Buffer.concat(chunks))));
      });
      asking.setTimeout(PATIENCE, () => asking.destroy(new Error(`${method} ${path}: no answer`)));
      asking.once("error", fail);
      asking.end(text);
    });
  }

  /** Writes a kubeconfig of its administrator. @param namespace of its context @returns its path */
  kubeconfig(namespace: string): string {
    const authority = Buffer.from(this.#authority.cert).toString("base64");
    const server = `https://127.0.0.1:${this.port}`;
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "tests",
      contexts: [{ name: "tests", context: { cluster: "tests", user: "admin", namespace } }],
      clusters: [{ name: "tests", cluster: { server, "certificate-authority-data": authority } }],
      users: [{ name: "admin", user: { token: TOKEN } }],
    };
    return this.#write(`kubeconfig-${namespace}`, JSON.stringify(config));
  }

  /** Everything that the audit log has about an object's name, of completed requests. */
  audited(name: string): readonly AuditEvent[] {
    return readFileSync(this.#path("audit.log"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as AuditEvent)
      .filter((event) => event.stage === "ResponseComplete" && event.objectRef?.name === name);
  }

  async stop(): Promise<void> {
    for (const process of this.#processes) await process.stop();
    this.#agent.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function reply(status: number, { warning }: IncomingHttpHeaders, bytes: Buffer): ApiReply {
  const text = bytes.toString();
  const body = (text.startsWith("{") ? JSON.parse(text) : { text }) as Readonly<Record<string, unknown>>;
  const warnings = [...(warning ?? "").matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, one = ""]) =>
    one.replaceAll(/\\(.)/g, "$1"),
  );
  const message = typeof body["message"] === "string" ? body["message"] : "";
  return { status, body, warnings, message };
}
