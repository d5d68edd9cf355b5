import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { keyEnvironment } from "./cache-key.ts";
import { CertificateAuthority } from "./certificates.ts";
import { makeTemporaryDirectory } from "./process.ts";
import { Signer } from "./signer.ts";
import type { Curve } from "./signing-key.ts";
import { StandInPds } from "./stand-in-pds.ts";
import { StandInPlc } from "./stand-in-plc.ts";
import { type Descriptor, StandInRegistry } from "./stand-in-registry.ts";

const ROOT = join(import.meta.dirname, "../..");
/** ATCR_VERIFY_BINARY names another build, for example one with a check removed. */
export const BINARY = resolve(ROOT, process.env["ATCR_VERIFY_BINARY"] ?? "dist/atcr-verify");
/** A run that ends neither by itself nor by its deadline is killed after this: `code` is null then. */
const KILL_AFTER = 15_000;
export const DESCRIPTOR_TYPE = "application/vnd.oci.descriptor.v1+json";

export interface Ask {
  /** Written to stdin, which is then closed; null: nothing is written and it stays open; a number: a file descriptor. */
  readonly stdin?: string | Uint8Array | number | null;
  /** File descriptor that stdout goes to; default: it is read. */
  readonly stdout?: number;
  /** The whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly argv0?: string;
  /** Run by a shell that closes or points elsewhere: `>&-`. */
  readonly redirect?: string;
  /** Run by this program, which is given the binary and its arguments. */
  readonly through?: readonly string[];
  /** Milliseconds after which it is killed; default {@link KILL_AFTER}. */
  readonly killAfter?: number;
  /** The program to run; default {@link BINARY}. */
  readonly binary?: string;
  /** Called with the process as soon as it runs. */
  readonly started?: (child: ChildProcess) => void;
}

export interface Answered {
  /** null when it died by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds. */
  readonly took: number;
}

/** Runs the binary with exactly these arguments, and no environment but what is given. */
export function ask(args: readonly string[], options: Ask = {}): Promise<Answered> {
  const { stdin = "", stdout = "pipe", env = {}, cwd = "/", redirect, through = [], binary = BINARY } = options;
  const wrapped =
    redirect === undefined
      ? [...through, binary, ...args]
      : ["/bin/sh", "-c", `exec "$0" "$@" ${redirect}`, binary, ...args];
  const [command = "", ...rest] = wrapped;
  const begun = performance.now();
  const child = spawn(command, rest, {
    env: { ...env },
    cwd,
    stdio: [typeof stdin === "number" ? stdin : "pipe", stdout, "pipe"],
    ...(options.argv0 !== undefined && { argv0: options.argv0 }),
  });
  const [out, err] = [[] as Buffer[], [] as Buffer[]];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin?.on("error", () => {}); // it may end without reading
  if (stdin !== null && typeof stdin !== "number") child.stdin?.end(stdin);
  const killer = setTimeout(() => child.kill("SIGKILL"), options.killAfter ?? KILL_AFTER);
  options.started?.(child);
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (code) => {
      clearTimeout(killer);
      const [text, diagnosis] = [Buffer.concat(out).toString("latin1"), Buffer.concat(err).toString()];
      done({ code, stdout: text, stderr: diagnosis, took: performance.now() - begun });
    });
  });
}

/** Outcome and code of the reason line, the exit code before them: `1 deny signature.none`. */
export function headline({ code, stdout }: Answered): string {
  return `${code} ${/^[a-z]+ [a-z._]+(?=:)/.exec(stdout)?.[0] ?? JSON.stringify(stdout.slice(0, 200))}`;
}

/** The arguments that containerd passes. */
export function containerdArgs(name: string, digest: string): string[] {
  return ["-name", name, "-digest", digest, "-stdin-media-type", DESCRIPTOR_TYPE];
}

/** A folder with a policy and a configuration, and the binary that runs with them. */
export class Bench {
  readonly folder = makeTemporaryDirectory("binary");
  readonly authority: CertificateAuthority;
  readonly env: Readonly<Record<string, string>>;

  constructor(authority = new CertificateAuthority()) {
    this.authority = authority;
    const SSL_CERT_FILE = this.write("ca.pem", authority.cert);
    this.env = { SSL_CERT_FILE, ATCR_VERIFY_CONFIG: this.configure({}), ...keyEnvironment(this.folder) };
  }

  /** @returns the file's absolute path */
  write(name: string, content: string | Uint8Array, mode = 0o644): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  /**
   * Writes a configuration and returns its path; values as in JSON, which is YAML too. By default each has its own
   * stateDir, so that tests do not see each other's rollbacks, and no cache, so that every request reaches a server.
   */
  configure(values: Readonly<Record<string, unknown>>, name = "config.yaml"): string {
    const own = {
      stateDir: join(this.folder, `${name}.state`),
      cacheDir: join(this.folder, `${name}.cache`),
      bundleDir: join(this.folder, `${name}.bundles`),
    };
    // Most tests verify one image repeatedly and expect requests each time.
    const fresh = { cacheEnabled: false, registryConfigPath: join(this.folder, "certs.d"), decisionLog: "none" };
    const config = { trustPolicyPath: join(this.folder, "policy.yaml"), ...own, ...fresh, ...values };
    return this.write(name, JSON.stringify(config, null, 2));
  }

  policy(text: string, name = "policy.yaml"): string {
    return this.write(name, text);
  }

  /** Runs it as containerd does. */
  pull(name: string, { mediaType, digest, size }: Descriptor, options: Ask = {}): Promise<Answered> {
    const stdin = JSON.stringify({ mediaType, digest, size });
    return ask(containerdArgs(name, digest), { env: this.env, stdin, ...options });
  }

  /** Runs `verify` with these arguments, as a person would. */
  verify(args: readonly string[], options: Ask = {}): Promise<Answered> {
    return ask(["verify", ...args], { env: this.env, ...options });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The rule that most tests need: every image must be signed by one of these. */
export function enforcing(...dids: readonly string[]): string {
  return policyOf("enforce", dids);
}

/** The same, and evidence from outside counts for 30 days. */
export function accepting(...dids: readonly string[]): string {
  return policyOf("enforce", dids, "{offlineFor: 30d}");
}

/** Every image is verified, and none is refused. */
export function auditing(...dids: readonly string[]): string {
  return policyOf("audit", dids);
}

function policyOf(action: string, dids: readonly string[], require?: string): string {
  const trusted = dids.map((did) => `  ${JSON.stringify(did)}: {}\n`).join("");
  const required = require === undefined ? "" : `, require: ${require}`;
  return `version: 1.0\ntrustedDIDs:\n${trusted}policies:\n  - {name: all, scope: "**/*", action: ${action}${required}}\n`;
}

const HOUR = 3_600_000;

/** All servers that a pull contacts, each with TLS on loopback, and a signer known to all of them. */
export class TestNode extends Bench {
  readonly plc: StandInPlc;
  readonly pds: StandInPds;
  readonly registry: StandInRegistry;
  readonly signer: Signer;
  /** Two hours ago: the signer's first commit. */
  readonly begun: number;
  #commits = 0;

  private constructor(
    authority: CertificateAuthority,
    parts: { plc: StandInPlc; pds: StandInPds; registry: StandInRegistry; signer: Signer; begun: number },
  ) {
    super(authority);
    this.plc = parts.plc;
    this.pds = parts.pds;
    this.registry = parts.registry;
    this.signer = parts.signer;
    this.begun = parts.begun;
    this.plc.add(this.signer.log);
    this.pds.add(this.signer.repo);
    this.configure(this.settings);
    this.policy(enforcing(this.signer.did));
  }

  /** @param pds replaces the origin of the PDS in the signer's log */
  static async start(options: { curve?: Curve; pds?: string } = {}): Promise<TestNode> {
    const authority = new CertificateAuthority();
    const tls = authority.issue({
      names: ["127.0.0.1", "::1", "localhost", "web.localhost", "plc.example", "pds.example", "registry.example"],
    });
    const [plc, pds, registry] = await Promise.all([
      StandInPlc.start({ tls }),
      StandInPds.start({ tls, name: "localhost" }),
      StandInRegistry.start({ tls }),
    ]);
    const begun = Date.now() - 2 * HOUR;
    const { curve = "k256" } = options;
    const signer = await Signer.create({
      seed: `alice ${curve}`,
      handle: "alice.example.com",
      pds: options.pds ?? pds.origin,
      at: begun,
      curve,
    });
    return new TestNode(authority, { plc, pds, registry, signer, begun });
  }

  /** The initial settings of {@link configure}. */
  get settings(): Readonly<Record<string, unknown>> {
    return { plcDirectories: [this.plc.origin], network: { allow: ["127.0.0.0/8", "::1"] } };
  }

  /** Pushes an image to `alice/app`, signed by default; returns its descriptor. */
  async image(salt: string, options: { signed?: boolean } = {}): Promise<Descriptor> {
    const image = this.registry.pushImage("alice/app", salt);
    const { signed = true } = options;
    if (signed) await this.signer.sign(image.digest, "app", this.begun + ++this.#commits * 1000);
    return image;
  }

  /** The image's name, as a client would write it. */
  get name(): string {
    return `${this.registry.authority}/alice/app:v1`;
  }

  async stop(): Promise<void> {
    await Promise.all([this.plc.stop(), this.pds.stop(), this.registry.stop()]);
    this.remove();
  }
}
