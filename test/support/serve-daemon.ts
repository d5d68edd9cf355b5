import { mkdirSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { connect } from "node:tls";
import { BINARY, type TestNode } from "./binary.ts";
import type { TlsIdentity } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { type ServerProcess, startServer } from "./process.ts";

const GATES = ["admit", "mutate", "gatekeeper", "verify", "imagereview"];
const NAMES = ["127.0.0.1", "localhost"];

export interface ServeOptions {
  /** Further settings of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Further settings of its `server`. */
  readonly server?: Readonly<Record<string, unknown>>;
  readonly binary?: string;
  /** Of the port with TLS; default: all that judge. */
  readonly gates?: readonly string[];
}

/** `atcr-verify serve` beside the servers of a TestNode: all gates on one port with TLS, health and metrics on another. */
export class ServeDaemon {
  readonly node: TestNode;
  readonly port: number;
  readonly plainPort: number;
  readonly #process: ServerProcess;

  private constructor(node: TestNode, port: number, plainPort: number, process: ServerProcess) {
    this.node = node;
    this.port = port;
    this.plainPort = plainPort;
    this.#process = process;
  }

  /** Starts it and waits until it is ready. */
  static async start(
    node: TestNode,
    { settings = {}, server = {}, binary = BINARY, gates = GATES }: ServeOptions = {},
  ): Promise<ServeDaemon> {
    const [port, plainPort] = [await freePort(), await freePort()];
    const folder = join(node.folder, `serve-${port}`);
    mkdirSync(folder);
    const tls = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
    writeIdentity(node, folder, node.authority.issue({ names: NAMES }));
    const listeners = [
      { listen: `127.0.0.1:${port}`, gates, tls },
      { listen: `127.0.0.1:${plainPort}`, gates: ["health", "metrics"] },
    ];
    const values = { ...node.settings, ...settings, server: { listeners, ...server } };
    const config = node.configure(values, `serve-${port}.yaml`);
    const process = await startServer({
      name: "atcr-verify serve",
      command: binary,
      args: ["serve", "--config", config],
      env: node.env,
      logFile: join(folder, "log"),
      ready: () => isReady(plainPort),
    });
    return new ServeDaemon(node, port, plainPort, process);
  }

  get origin(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** PEM of the authority that issued its certificate. */
  get ca(): string {
    return this.node.authority.cert;
  }

  get output(): string {
    return this.#process.log();
  }

  /** The lines of the decision log so far. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    const lines = this.output.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  /** Replaces certificate and key by those of a fresh certificate. */
  rotate(): void {
    writeIdentity(this.node, join(this.node.folder, `serve-${this.port}`), this.node.authority.issue({ names: NAMES }));
  }

  /** Fingerprint of the certificate that a new connection is shown. */
  certificate(): Promise<string> {
    return new Promise((done, fail) => {
      const socket = connect({ host: "127.0.0.1", port: this.port, ca: this.ca }, () => {
        done(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.once("error", fail);
    });
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}

function writeIdentity(node: TestNode, folder: string, { cert, key }: TlsIdentity): void {
  node.write(join(folder.slice(node.folder.length + 1), "tls.crt"), cert);
  node.write(join(folder.slice(node.folder.length + 1), "tls.key"), key, 0o600);
}

/** Whether the one at this port says that it is ready; not listening yet is not ready. */
function isReady(port: number): Promise<boolean> {
  return new Promise((done) => {
    const asking = get({ host: "127.0.0.1", port, path: "/readyz", agent: false }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    asking.once("error", () => done(false));
  });
}
