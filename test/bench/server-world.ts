import { mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { keyEnvironment } from "../support/cache-key.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { freePort } from "../support/free-port.ts";
import type { Signer } from "../support/signer.ts";
import { ROOT } from "./measured.ts";
import { type Peer, preparePeers } from "./peers.ts";
import type { Review, Target } from "./review-load.ts";
import { type PulledImage, Services } from "./services.ts";
import { WatchedServer } from "./watched-server.ts";

/** Pods of the largest burst. */
export const MANY = 1000;
const SIGNERS = 20;
const BUILT = process.env["ATCR_VERIFY_BINARY"] ?? join(ROOT, "dist/atcr-verify");

/** A webhook of a few lines, for comparison. */
interface SmallestWebhook {
  readonly server: WatchedServer;
  readonly target: Target;
}

/** cosign behind such a webhook, and images for it. */
interface PeerServer extends SmallestWebhook {
  readonly signed: string;
  readonly unsigned: string;
}

/** `atcr-verify serve` with everything that it asks, and a peer beside it. */
export class ServerWorld {
  readonly services: Services;
  readonly ours: WatchedServer;
  readonly target: Target;
  /** Answers at once. */
  readonly instant: SmallestWebhook;
  readonly peer: PeerServer | undefined;
  readonly #signers: readonly Signer[];
  readonly #newSigners: readonly Signer[];
  #made = 0;
  #introduced = 0;

  private constructor(
    parts: Pick<ServerWorld, "services" | "ours" | "target" | "instant" | "peer">,
    signers: readonly Signer[],
  ) {
    ({ services: this.services, ours: this.ours, target: this.target } = parts);
    ({ instant: this.instant, peer: this.peer } = parts);
    this.#signers = signers.slice(0, SIGNERS);
    this.#newSigners = signers.slice(SIGNERS);
  }

  /** @param newSigners how many there are for {@link signedByNew} */
  static async start(folder: string, newSigners: number): Promise<ServerWorld> {
    const services = await Services.start();
    const signers: Signer[] = [];
    for (let i = 0; i < SIGNERS + newSigners; i++) signers.push(await services.signer(`server${i}`));
    const { cert, key } = services.authority.issue({ names: ["127.0.0.1"] });
    const files = { "ca.pem": services.authority.cert, "tls.crt": cert, "tls.key": key };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 });
    const [port, plain] = [await freePort(), await freePort()];
    configure(folder, services, signers, port, plain);
    const env = { SSL_CERT_FILE: join(folder, "ca.pem"), ...keyEnvironment(folder) };
    const ours = await WatchedServer.start({
      name: "atcr-verify serve",
      command: BUILT,
      args: ["serve", "--config", join(folder, "config.yaml")],
      env,
      // The decision log, a line an image, is written, but not to a disk.
      logFile: "/dev/null",
      ready: () => isReady(plain),
    });
    const target = { port, ca: services.authority.cert, path: "/admit?timeout=10s" };
    const instant = await startWebhook("a webhook that answers at once", folder, services);
    return new ServerWorld({ services, ours, target, instant, peer: await startPeer(folder, services) }, signers);
  }

  /** Pushes an image that one of the known signers signed. @returns its name, with its digest */
  signed(): Promise<string> {
    return this.#push(this.#signers[this.#made % SIGNERS] as Signer, true);
  }

  /** The same of a signer of whom the server knows nothing. */
  signedByNew(): Promise<string> {
    const signer = this.#newSigners[this.#introduced++];
    if (signer === undefined) throw new Error("there are too few new signers");
    return this.#push(signer, true);
  }

  unsigned(): Promise<string> {
    return this.#push(this.#signers[0] as Signer, false);
  }

  async #push(by: Signer, isSigned: boolean): Promise<string> {
    const salt = `server ${this.#made++}`;
    return nameOf(await this.services.image(this.services.registry, pathOf(by), salt, isSigned ? { by } : {}));
  }

  /** A pod of these images, which is to be admitted. */
  review(images: readonly string[]): Review {
    return { body: admissionReview(images), expected: '"allowed":true' };
  }

  refused(image: string): Review {
    return { body: admissionReview([image]), expected: '"allowed":false' };
  }

  repeated(images: readonly string[], times: number): Review[] {
    const review = this.review(images);
    return Array.from({ length: times }, () => review);
  }

  async stop(): Promise<void> {
    await this.ours.stop();
    await this.instant.server.stop();
    await this.peer?.server.stop();
    await this.services.stop();
  }
}

const nameOf = ({ name, digest }: PulledImage) => `${name}@${digest}`;
const pathOf = ({ did }: Signer) => `${did.slice(-8)}/app`;

/** A review of the size that an API server sends of an ordinary pod: about 3 KB. */
function admissionReview(images: readonly string[]): string {
  const containers = images.map((image, index) => ({
    name: `c${index}`,
    image,
    resources: { requests: { cpu: "100m", memory: "64Mi" } },
    terminationMessagePath: "/dev/termination-log",
    imagePullPolicy: "IfNotPresent",
  }));
  const managed = {
    manager: "kubectl",
    operation: "Update",
    fieldsType: "FieldsV1",
    fieldsV1: { of: "x".repeat(1500) },
  };
  const metadata = { name: "web-7d4b9c6f5-abcde", namespace: "shop", labels: { app: "web" }, managedFields: [managed] };
  const kind = { group: "", version: "v1", kind: "Pod" };
  const resource = { group: "", version: "v1", resource: "pods" };
  const request = {
    uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
    kind,
    resource,
    requestKind: kind,
    requestResource: resource,
    name: metadata.name,
    namespace: "shop",
    operation: "CREATE",
    userInfo: {
      username: "system:serviceaccount:kube-system:replicaset-controller",
      groups: ["system:serviceaccounts"],
    },
    object: { apiVersion: "v1", kind: "Pod", metadata, spec: { containers, restartPolicy: "Always" } },
    oldObject: null,
    dryRun: false,
  };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
}

function configure(folder: string, services: Services, signers: readonly Signer[], port: number, plain: number): void {
  const tls = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
  const listeners = [
    { listen: `127.0.0.1:${port}`, gates: ["admit"], tls },
    { listen: `127.0.0.1:${plain}`, gates: ["health", "metrics"] },
  ];
  const config = {
    trustPolicyPath: join(folder, "policy.yaml"),
    stateDir: join(folder, "state"),
    registryConfigPath: join(folder, "certs.d"),
    plcDirectories: [services.plc.origin],
    network: { allow: ["127.0.0.0/8"] },
    server: { listeners },
  };
  writeFileSync(join(folder, "config.yaml"), JSON.stringify(config));
  const trustedDIDs = Object.fromEntries(signers.map(({ did }) => [did, {}]));
  const policies = signers.map((signer, i) => ({
    name: `team${i}`,
    scope: `${services.registry.authority}/${pathOf(signer)}`,
    action: "enforce",
    require: { trustedDIDs: [signer.did] },
  }));
  writeFileSync(join(folder, "policy.yaml"), JSON.stringify({ version: 1, trustedDIDs, policies }));
}

function isReady(port: number): Promise<boolean> {
  return new Promise((done) => {
    const asking = get({ host: "127.0.0.1", port, path: "/readyz", agent: false }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    asking.once("error", () => done(false));
  });
}

async function startPeer(folder: string, services: Services): Promise<PeerServer | undefined> {
  const missing = missingTool("cosign");
  if (missing !== undefined) {
    console.error(`left out: cosign behind a webhook; ${missing}`);
    return undefined;
  }
  const image = async (name: string) => nameOf(await services.image(services.registry, `peers/${name}`, name));
  const [signed, notation, unsigned] = [await image("cosign"), await image("notation"), await image("unsigned")];
  mkdirSync(join(folder, "peer"));
  const peers = await preparePeers(join(folder, "peer"), { cosign: signed, notation }, join(folder, "ca.pem"));
  const { command, env } = peers.find(({ name }) => name === "cosign") as Peer;
  const [, ...program] = command("").slice(0, -1);
  const webhook = await startWebhook("the webhook around cosign", folder, services, {
    args: [debianTool("cosign"), ...program],
    env,
  });
  return { ...webhook, signed, unsigned };
}

async function startWebhook(
  name: string,
  folder: string,
  services: Services,
  { args = [], env = {} }: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<SmallestWebhook> {
  const port = await freePort();
  const server = await WatchedServer.start({
    name,
    command: process.execPath,
    args: [join(import.meta.dirname, "smallest-webhook.ts"), String(port), folder, ...args],
    env,
    logFile: join(folder, `${port}.log`),
    ready: (log) => log.includes("listening"),
  });
  return { server, target: { port, ca: services.authority.cert, path: "/" } };
}
