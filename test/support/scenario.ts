import { accessSync, constants, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY } from "./binary.ts";
import { keyEnvironment } from "./cache-key.ts";
import { CertificateAuthority, type TlsIdentity } from "./certificates.ts";
import type { Containerd, ContainerdOptions } from "./containerd.ts";
import { installVerifier, startContainerd } from "./containerd.ts";
import { attachReferrer, buildReferrer, type Content } from "./image.ts";
import { type Finished, makeTemporaryDirectory } from "./process.ts";
import { Signer, type SignerOptions } from "./signer.ts";
import { StandInPds } from "./stand-in-pds.ts";
import { StandInPlc } from "./stand-in-plc.ts";
import { SIGNATURE_TYPE } from "./stand-in-registry.ts";

/** The binary of `make build`, or another build. */
export { BINARY };

/** What to pass to `requirement` for the built binary. */
export function missingBinary(): string | undefined {
  try {
    accessSync(BINARY, constants.X_OK);
    return undefined;
  } catch {
    return "dist/atcr-verify is not built: run make build";
  }
}

interface MachineDefaults {
  readonly trustPolicyPath: string;
  readonly decisionLog: string;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly bundleDir: string;
  /** containerd's own. */
  readonly registryConfigPath: string;
  /** Off: most tests pull one image repeatedly and expect requests each time. */
  readonly cacheEnabled: false;
}

/** A machine with a containerd of its own that runs the built binary, through a link, at every pull. */
export interface Machine {
  readonly containerd: Containerd;
  /** The verifier's configuration, named by ATCR_VERIFY_CONFIG; it names the policy. Both are read at every pull. */
  readonly configFile: string;
  readonly policyFile: string;
  /** {@link configure} adds these to what it is given: nothing of the machine's is touched. */
  readonly defaults: MachineDefaults;
  /** Replaces the configuration: YAML, or what is written as JSON; {@link defaults} are added to the latter. */
  configure(config: string | Readonly<Record<string, unknown>>): void;
  /** Replaces the policy: YAML, or what is written as JSON. */
  trust(policy: string | Readonly<Record<string, unknown>>): void;
  stop(): Promise<void>;
}

/**
 * Starts a machine. It has no policy, and pulls nothing, until {@link Machine.trust} is called.
 *
 * @param verifier absolute path of a verifier to use instead of the built binary
 */
export async function startMachine(options: ContainerdOptions = {}, verifier = BINARY): Promise<Machine> {
  const directory = makeTemporaryDirectory("atcr-verify");
  const configFile = join(directory, "config.yaml");
  const policyFile = join(directory, "trust-policy.yaml");
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  let containerd: Containerd | undefined;
  try {
    const env = { ...options.env, ATCR_VERIFY_CONFIG: configFile, ...keyEnvironment(directory) };
    containerd = await startContainerd({ ...options, env });
    installVerifier(containerd.binDir, verifier, "atcr-verify");
  } catch (error) {
    await containerd?.stop();
    remove();
    throw error;
  }
  const started = containerd;
  const defaults: MachineDefaults = {
    trustPolicyPath: policyFile,
    stateDir: join(directory, "state"),
    cacheDir: join(directory, "cache"),
    bundleDir: join(directory, "bundles"),
    registryConfigPath: started.hosts,
    cacheEnabled: false,
    decisionLog: join(directory, "decisions.log"),
  };
  const machine = {
    containerd: started,
    configFile,
    policyFile,
    defaults,
    configure(config: string | Readonly<Record<string, unknown>>) {
      const text = typeof config === "string" ? config : JSON.stringify({ ...defaults, ...config });
      writeFileSync(configFile, text);
    },
    trust(policy: string | Readonly<Record<string, unknown>>) {
      // YAML is a superset of JSON.
      writeFileSync(policyFile, typeof policy === "string" ? policy : JSON.stringify(policy));
    },
    async stop() {
      await started.stop();
      remove();
    },
  };
  machine.configure({});
  return machine;
}

/** A PLC directory and a PDS, with their signers. */
export interface SigningSide {
  readonly plc: StandInPlc;
  readonly pds: StandInPds;
  /** PEM of the authority that both serve https with; undefined where they speak plain http. */
  readonly ca: string | undefined;
  /** A did:plc known to both; its PDS is this one by default. */
  createSigner(seed: string, options?: Partial<SignerOptions>): Promise<Signer>;
  stop(): Promise<void>;
}

export async function startSigningSide(protocol: "http" | "https"): Promise<SigningSide> {
  const authority = protocol === "https" ? new CertificateAuthority() : undefined;
  const tls: { tls: TlsIdentity } | Record<never, never> =
    authority === undefined ? {} : { tls: authority.issue({ names: ["127.0.0.1"] }) };
  const [plc, pds] = await Promise.all([StandInPlc.start(tls), StandInPds.start(tls)]);
  return {
    plc,
    pds,
    ca: authority?.cert,
    async createSigner(seed, options = {}) {
      const signer = await Signer.create({ seed, pds: pds.origin, at: Date.now() - 3_600_000, ...options });
      plc.add(signer.log);
      pds.add(signer.repo);
      return signer;
    },
    async stop() {
      await Promise.all([plc.stop(), pds.stop()]);
    },
  };
}

/** ATCR's record of this image, written now. `repository` as the image's name has it, or its end. */
export async function recordImage(signer: Signer, image: Content, repository: string): Promise<void> {
  const { digest, mediaType } = image.manifest;
  await signer.sign(digest, repository, Date.now(), { mediaType });
}

/** Attaches a signature artifact, which names the DID in its payload and nowhere else. */
export async function attachSignature(registry: string, repository: string, image: Content, did: string) {
  const { digest, mediaType } = image.manifest;
  const recordUri = `at://${did}/io.atcr.manifest/${digest.slice("sha256:".length)}`;
  const payload = {
    $type: "io.atcr.atproto.signature",
    version: "1.0",
    subject: { digest, mediaType },
    atproto: { did, recordUri },
  };
  const artifact = { artifactType: SIGNATURE_TYPE, payloadType: SIGNATURE_TYPE, subject: image, payload };
  await attachReferrer(registry, repository, buildReferrer(artifact));
}

/**
 * How a pull through ctr ended: `pulled`, or the verifier's exit code, outcome and code as ctr shows
 * them (`1 deny signature.none`), or else ctr's whole output.
 */
export function outcomeOf({ code, stderr }: Finished): string {
  if (code === 0) return "pulled";
  const reason = /verifier atcr-verify rejected image \(exit code (\d)\): (\w+ [\w.]+): ./.exec(stderr);
  return reason === null ? stderr : `${reason[1]} ${reason[2]}`;
}
