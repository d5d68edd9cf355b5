import type { Did } from "../../src/core/atproto/syntax.ts";
import { type Config, DEFAULT_CONFIG } from "../../src/core/config/config.ts";
import type { TrustPolicy } from "../../src/core/policy/policy.ts";
import { type HttpClient, HttpFailure } from "../../src/io/net/exchange.ts";
import type { TxtLookup, TxtRequest } from "../../src/io/net/txt.ts";
import { Deadline } from "../../src/io/process/deadline.ts";
import type { RegistryName } from "../../src/io/registry/certs-folder.ts";
import { endpointsOf } from "../../src/io/registry/endpoints.ts";
import type { DecideContext } from "../../src/verifier/service/gather-and-judge.ts";
import { Verifier, type VerifierOptions } from "../../src/verifier/service/verifier.ts";
import { DIGEST, MANIFEST, NOW, type TestSigner } from "./evidence.ts";
import { type RecordedRequest, sequentialRoundTrips } from "./http-server.ts";
import { LoopbackHttp } from "./loopback-http.ts";
import { NodeDisk, untrustedReason } from "./node-disk.ts";
import { StandInPds } from "./stand-in-pds.ts";
import { StandInPlc } from "./stand-in-plc.ts";
import { type ArtifactOptions, type Descriptor, StandInRegistry } from "./stand-in-registry.ts";

/** Changes to a world's verifier; `http` wraps the client for its servers. */
type Differences = Partial<Omit<VerifierOptions, "config" | "policy">> & {
  readonly config?: Partial<Config>;
  readonly http?: HttpClient | undefined;
  readonly openNetwork?: ConstructorParameters<typeof Verifier>[1] | undefined;
};

const REPOSITORY = "team/app";
const IMAGE: Descriptor = { mediaType: MANIFEST, digest: DIGEST, size: 500 };

/**
 * Two directories, one PDS for all signers, and a registry, at the hosts that evidence.ts names:
 * `https://plc.example`, `https://plc2.example`, `https://registry.example`, and each signer's own.
 */
export class World {
  readonly plc: StandInPlc;
  readonly plc2: StandInPlc;
  readonly pds: StandInPds;
  readonly registry: StandInRegistry;
  readonly http: LoopbackHttp;
  /** Milliseconds since 1970. */
  now = NOW;
  readonly disk = new NodeDisk(() => this.now);
  /** Whether cached identities are used: most tests repeat requests and expect fresh answers. */
  remembersIdentities = false;
  /** TXT records by name, or how the look-up fails; other names have none. */
  readonly txt = new Map<string, readonly string[] | Error | "silent">();
  /** Every look-up of TXT records. */
  readonly lookUps: TxtRequest[] = [];

  private constructor(plc: StandInPlc, plc2: StandInPlc, pds: StandInPds, registry: StandInRegistry) {
    this.plc = plc;
    this.plc2 = plc2;
    this.pds = pds;
    this.registry = registry;
    this.http = new LoopbackHttp({
      "https://plc.example": plc,
      "https://plc2.example": plc2,
      "https://registry.example": registry,
    });
  }

  static async start(...signers: readonly TestSigner[]): Promise<World> {
    const world = new World(
      await StandInPlc.start(),
      await StandInPlc.start(),
      await StandInPds.start(),
      await StandInRegistry.start(),
    );
    for (const signer of signers) world.add(signer);
    return world;
  }

  /** Serves this signer: the log at both directories, or the document; and the repo. */
  add(signer: TestSigner): void {
    this.http.places.set(signer.pds, this.pds);
    this.pds.add(signer.repo);
    if (signer.did.startsWith("did:plc:")) {
      this.plc.add(signer.log);
      this.plc2.add(signer.log);
      return;
    }
    const { host, origin } = new URL(signer.identity().url);
    this.http.places.set(origin, this.pds);
    this.pds.serveDocument(JSON.parse(new TextDecoder().decode(signer.identity().bytes)), host);
  }

  /** Attaches a referrer to the image; one with a DID names it in an annotation. */
  attach(options: ArtifactOptions & { did?: string } = {}): Descriptor {
    const { did, ...rest } = options;
    const annotations = { ...(did === undefined ? {} : { "io.atcr.atproto.did": did }), ...options.annotations };
    return this.registry.attach(REPOSITORY, IMAGE, { ...rest, annotations });
  }

  /** Lists these descriptors in place of what is attached. */
  list(...manifests: readonly unknown[]): void {
    this.registry.override("/referrers/", { json: { schemaVersion: 2, manifests } });
  }

  context(changes: Partial<Config> = {}, time = 8000): DecideContext & Required<Pick<DecideContext, "identities">> {
    const config = { ...DEFAULT_CONFIG, plcDirectories: ["https://plc.example"], ...changes };
    const deadline = new Deadline(performance.now() + time);
    const registries = {
      endpoints: (name: RegistryName) =>
        endpointsOf(name, { ...config, registryConfigPath: [] }, () => {}, {
          privateRegistry: "any",
          hasCredentials: () => false,
        }),
      credentials: async () => ({ problems: [] }),
    };
    const { cache, ...history } = this.disk.open();
    return {
      http: this.http.get,
      txt: this.#lookUp,
      deadline,
      config,
      now: () => this.now,
      registries,
      pauses: { base: 1, random: () => 0.5 },
      ...history,
      cache: untrustedReason(cache),
      identities: {
        find: (signer) => (this.remembersIdentities ? cache.findIdentity(signer) : undefined),
        keep: async (digest, signer, identity) => {
          if (config.cacheEnabled) await cache.keepIdentity(digest, signer, identity);
        },
        oneAtATime: async (_, find, ask) => (await find()) ?? ask(),
      },
    };
  }

  /** What a process of this world's node verifies with. */
  verifier(policy: TrustPolicy, { http, openNetwork, ...changes }: Differences = {}): Verifier {
    return this.verifierOf(this.settings(policy, changes), { http, openNetwork });
  }

  /** What verifies with these settings, as they are. */
  verifierOf(
    settings: VerifierOptions,
    { http, openNetwork }: Pick<Differences, "http" | "openNetwork"> = {},
  ): Verifier {
    const network =
      openNetwork ?? ((_, environment) => ({ http: () => http ?? this.http.get, txt: this.#lookUp, environment }));
    return new Verifier(settings, network);
  }

  /** How this world's node verifies by a policy. */
  settings(
    policy: TrustPolicy,
    { config, ...changes }: Omit<Differences, "http" | "openNetwork"> = {},
  ): VerifierOptions {
    const { stateDir, cacheDir, bundleDir } = this.disk;
    const own = { plcDirectories: ["https://plc.example"], stateDir, cacheDir, bundleDir, registryConfigPath: [] };
    const { environment, memory } = this.disk;
    const whole = { ...DEFAULT_CONFIG, ...own, ...config };
    return { config: whole, policy, environment, ...(memory && { memory }), ...changes };
  }

  readonly #lookUp: TxtLookup = async (request, deadline) => {
    this.lookUps.push(request);
    const records = this.txt.get(request.name) ?? [];
    if (records instanceof Error) throw records;
    if (records !== "silent") return records;
    await new Promise((resolve) => setTimeout(resolve, Math.min(request.timeout, deadline.remaining())));
    throw new HttpFailure("timeout", `${request.name}: silent`);
  };

  /** All requests that any of the servers got. */
  get requests(): readonly RecordedRequest[] {
    return [this.plc, this.plc2, this.pds, this.registry].flatMap(({ requests }) => requests);
  }

  /** Makes simultaneous requests overlap, however busy the machine is. */
  answerLate(): void {
    for (const server of [this.plc, this.plc2, this.pds, this.registry]) server.delay(300);
  }

  get roundTrips(): number {
    return sequentialRoundTrips(this.requests);
  }

  /** DIDs whose identity or record was requested, each once. */
  get contacted(): readonly Did[] {
    const dids = this.requests.flatMap(({ path, query }) => [/did:plc:[^/]*/.exec(path)?.[0], query.get("did")]);
    return [...new Set(dids)].filter((did) => typeof did === "string") as Did[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.plc, this.plc2, this.pds, this.registry].map((server) => server.stop()));
    this.disk.remove();
  }
}

/** The payload of a signature artifact that names this DID; its other addresses are traps. */
export function payloadOf(did: string, changes: Record<string, unknown> = {}): unknown {
  return {
    $type: "io.atcr.atproto.signature",
    version: "1.0",
    atproto: { did, pdsEndpoint: "https://trap.example", handle: "trap.example", ...changes },
  };
}
