import { type ChildProcess, spawn } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { BINARY, type TestNode } from "./binary.ts";
import { freePort } from "./free-port.ts";

/** Milliseconds until a request that gets no answer fails its test. */
const PATIENCE = 15_000;

/** What a request was answered with; `status` 0: the connection was closed without an answer. */
export interface Reply {
  readonly status: number;
  readonly phrase: string;
  readonly headers: string;
  readonly body: Buffer;
}

export interface DaemonOptions {
  /** Further settings of the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the program: its arguments are the binary and the binary's. */
  readonly through?: readonly string[];
  readonly binary?: string;
  /** Replaces the address of the configuration. */
  readonly listen?: string;
  /** Where its key lies; default: a folder of the node. */
  readonly keyFile?: string;
}

/** `atcr-verify lookaside` on a node of stand-ins. */
export class LookasideDaemon {
  readonly node: TestNode;
  readonly port: number;
  readonly keyFile: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #stdout = "";
  #stderr = "";

  private constructor(node: TestNode, port: number, keyFile: string, child: ChildProcess) {
    this.node = node;
    this.port = port;
    this.keyFile = keyFile;
    this.#child = child;
    child.stdout?.on("data", (chunk: Buffer) => (this.#stdout += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#ended = once(child, "close").then(([code]) => code as number | null);
  }

  /** Starts it; it may end at once, because it cannot run like this. */
  static async launch(node: TestNode, options: DaemonOptions = {}): Promise<LookasideDaemon> {
    const port = await freePort();
    const { listen = `127.0.0.1:${port}`, keyFile = join(node.folder, "lookaside", "node.key") } = options;
    mkdirSync(join(node.folder, "lookaside"), { recursive: true, mode: 0o755 });
    const settings = { ...node.settings, ...options.settings, lookaside: { listen, keyFile } };
    const config = node.configure(settings, `lookaside-${port}.yaml`);
    const { through = [], binary = BINARY } = options;
    const [command, ...before] = [...through, binary];
    const args = [...before, "lookaside", "--config", config];
    const env = { ...node.env, PORT: String(port), ...options.env };
    const child = spawn(command ?? binary, args, { env, cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
    return new LookasideDaemon(node, port, keyFile, child);
  }

  /** Starts it and waits until it answers. */
  static async start(node: TestNode, options: DaemonOptions = {}): Promise<LookasideDaemon> {
    const daemon = await LookasideDaemon.launch(node, options);
    const ended = daemon.#ended.then((code) => {
      throw new Error(`it ended with ${code}: ${daemon.stderr}`);
    });
    ended.catch(() => {});
    while (!daemon.stderr.includes("answers on")) await Promise.race([ended, pause(10)]);
    return daemon;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The exit status, and the code of the reason: `3 config.invalid`. */
  async headline(): Promise<string> {
    const code = await this.#ended;
    return `${code} ${/[a-z]+\.[a-z_]+(?=:)/.exec(this.#stdout + this.#stderr)?.[0] ?? this.#stdout + this.#stderr}`;
  }

  /** The lines of the decision log so far. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    return this.#stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  /** As containers/image asks for the first signature of a digest. */
  ask(name: string, digest: string, number = 1): Promise<Reply> {
    return this.get(`/${name}@${digest.replace(":", "=")}/signature-${number}`);
  }

  get(target: string, headers: readonly string[] = [`Host: 127.0.0.1:${this.port}`]): Promise<Reply> {
    return this.send(`GET ${target} HTTP/1.1\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`);
  }

  /** Sends these bytes and reads until the connection is closed. */
  send(text: string): Promise<Reply> {
    return exchange(this.port, text);
  }

  /** Outcome and code in the phrase of a refusal, after the status: `403 deny signature.none`. */
  async answerTo(name: string, digest: string): Promise<string> {
    const { status, phrase } = await this.ask(name, digest);
    return `${status} ${/^[a-z]+ [a-z._]+(?=:)/.exec(phrase)?.[0] ?? phrase}`;
  }

  /** What a body says, checked with the public key. */
  signed(body: Buffer): Readonly<Record<string, unknown>> {
    const start = Buffer.from("\0sigstore-json\n");
    if (!body.subarray(0, start.length).equals(start)) throw new Error(`unexpected ${body.toString("latin1")}`);
    const { mimeType, payload, annotations } = JSON.parse(body.subarray(start.length).toString()) as {
      readonly mimeType: string;
      readonly payload: string;
      readonly annotations: Readonly<Record<string, string>>;
    };
    const bytes = Buffer.from(payload, "base64");
    const signature = Buffer.from(annotations["dev.cosignproject.cosign/signature"] ?? "", "base64");
    const key = createPublicKey(readFileSync(`${this.keyFile}.pub`));
    const isValid = verify("sha256", bytes, { key, dsaEncoding: "der" }, signature);
    if (!isValid || mimeType !== "application/vnd.dev.cosign.simplesigning.v1+json") throw new Error("not signed");
    return JSON.parse(bytes.toString()) as Readonly<Record<string, unknown>>;
  }

  /** SIGTERM. @returns the exit status */
  end(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.#ended;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** A node and its daemon, for one test. */
export async function withDaemon(
  test: (daemon: LookasideDaemon, node: TestNode) => Promise<void>,
  node: TestNode,
  options: DaemonOptions = {},
): Promise<void> {
  const daemon = await LookasideDaemon.start(node, options);
  try {
    await test(daemon, node);
  } finally {
    await daemon.stop();
  }
}

/** Opens a socket as systemd does, at $PORT, and runs a program with it as descriptor 3. */
export const ACTIVATE: readonly string[] = [
  "/usr/bin/perl",
  "-MSocket",
  "-MPOSIX",
  "-e",
  `$^F = 9;
   socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
   setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
   bind($s, pack_sockaddr_in($ENV{PORT}, inet_aton($ENV{ADDRESS} // "127.0.0.1"))) or die "bind: $!";
   listen($s, 128) or die;
   POSIX::dup2(fileno($s), 3) if fileno($s) != 3;
   $ENV{LISTEN_PID} = $$;
   $ENV{LISTEN_FDS} //= 1;
   exec @ARGV;`,
];

function exchange(port: number, text: string): Promise<Reply> {
  return new Promise((resolve, fail) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    const late = setTimeout(() => {
      socket.destroy();
      fail(new Error(`no answer to ${text.slice(0, 200)}`));
    }, PATIENCE);
    socket.on("error", () => {}); // a reset is an answer, too
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("close", () => {
      clearTimeout(late);
      resolve(parsed(Buffer.concat(chunks)));
    });
    socket.write(text);
  });
}

function parsed(answer: Buffer): Reply {
  const end = answer.indexOf("\r\n\r\n");
  const head = answer.subarray(0, Math.max(end, 0)).toString("latin1");
  const [, status = "0", phrase = ""] = /^HTTP\/1\.1 (\d{3}) ?([^\r\n]*)/.exec(head) ?? [];
  return { status: Number(status), phrase, headers: head, body: answer.subarray(end + 4) };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}
