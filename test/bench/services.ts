import { CertificateAuthority } from "../support/certificates.ts";
import { didDocument } from "../support/did-document.ts";
import { type StandInServer, sequentialRoundTrips } from "../support/http-server.ts";
import { NameServer, ownAddress } from "../support/name-server.ts";
import { isRoot } from "../support/requirement.ts";
import { MANIFEST_COLLECTION, manifestRecord, SignedRepo } from "../support/signed-repo.ts";
import { Signer } from "../support/signer.ts";
import { signingKey } from "../support/signing-key.ts";
import { StandInPds } from "../support/stand-in-pds.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";

/** The second numbers of loopback addresses that nothing in the tests uses. */
const [NAMES_NET, HANDLE_NET] = [91, 92];
const DAY = 86_400_000;
/** Records in a repo beside those that the cases need. */
const OTHERS = 50;

/** An image as a pull asks about it. */
export interface PulledImage {
  /** `HOST/PATH` */
  readonly name: string;
  readonly digest: string;
}

/** The handles of two signers, and who says so. */
export const HANDLES = { byDns: "dns.bench.example.com", byHost: "host.bench.example.com" } as const;

/** All that pulls ask: stand-ins with TLS on loopback, in this process, and what they serve. */
export class Services {
  readonly authority = new CertificateAuthority();
  readonly registry: StandInRegistry;
  /** A registry without the Referrers API. */
  readonly simple: StandInRegistry;
  /** A registry whose names begin with handles. */
  readonly atcr: StandInRegistry;
  readonly plc: StandInPlc;
  readonly pds: StandInPds;
  /** Serves the document of a did:web. */
  readonly web: StandInPds;
  /** Who answers for handles; undefined where this is not root, which port 53 and a resolv.conf of one's own need. */
  readonly names: { readonly server: NameServer; readonly host: StandInPds } | undefined;
  /** Yesterday: when signers began. */
  readonly #begun = Date.now() - DAY;
  #commits = 0;

  private constructor(
    started: Pick<Services, "authority" | "registry" | "simple" | "atcr" | "plc" | "pds" | "web" | "names">,
  ) {
    this.authority = started.authority;
    this.registry = started.registry;
    this.simple = started.simple;
    this.atcr = started.atcr;
    this.plc = started.plc;
    this.pds = started.pds;
    this.web = started.web;
    this.names = started.names;
    this.simple.referrersApi = 404;
  }

  static async start(): Promise<Services> {
    const authority = new CertificateAuthority();
    const tls = authority.issue({ names: ["127.0.0.1", "web.localhost", ...Object.values(HANDLES)] });
    const host = ownAddress(HANDLE_NET);
    const names = isRoot()
      ? { server: await NameServer.start(NAMES_NET), host: await StandInPds.start({ tls, host, port: 443 }) }
      : undefined;
    for (const handle of Object.values(HANDLES)) names?.server.answers.set(`A ${handle}`, [host]);
    names?.host.override("", { status: 404 });
    return new Services({
      authority,
      registry: await StandInRegistry.start({ tls }),
      simple: await StandInRegistry.start({ tls }),
      atcr: await StandInRegistry.start({ tls }),
      plc: await StandInPlc.start({ tls }),
      pds: await StandInPds.start({ tls }),
      web: await StandInPds.start({ tls, name: "web.localhost" }),
      names,
    });
  }

  /** Made anew: a signer by did:plc, whom directory and PDS know. */
  async signer(seed: string, handle = `${seed}.example.com`): Promise<Signer> {
    const signer = await Signer.create({ seed, handle, pds: this.pds.origin, at: this.#begun, others: OTHERS });
    this.plc.add(signer.log);
    this.pds.add(signer.repo);
    return signer;
  }

  /** Has DNS, or the handle's host, say that the handle is this signer's. */
  resolve(handle: string, { did }: Pick<Signer, "did">): void {
    if (handle === HANDLES.byDns) this.names?.server.answers.set(`TXT _atproto.${handle}`, [`did=${did}`]);
    else this.names?.host.override(({ headers }) => headers.host === handle, { body: did });
  }

  /** @returns the DID of a did:web that signed this image */
  async signedByWeb(image: PulledImage): Promise<string> {
    const { host } = new URL(this.web.origin);
    const did = `did:web:${host.replace(":", "%3A")}`;
    const key = signingKey("k256", "bench web");
    const repo = await SignedRepo.create({ did, key, at: this.#begun });
    await repo.fill(OTHERS, this.#begun + 1);
    const at = this.#nextCommit();
    const record = { ...manifestRecord(image.digest, "app"), createdAt: new Date(at).toISOString() };
    await repo.put(MANIFEST_COLLECTION, image.digest.slice("sha256:".length), record, at);
    this.pds.add(repo);
    this.web.serveDocument(didDocument({ did, key, pds: this.pds.origin }), host);
    return did;
  }

  /**
   * Pushes an image.
   *
   * @param by who signed it
   * @param referrer the DID that its referrer names
   */
  async image(
    registry: StandInRegistry,
    path: string,
    salt: string,
    { by, referrer }: { readonly by?: Signer; readonly referrer?: string } = {},
  ): Promise<PulledImage> {
    const descriptor = registry.pushImage(path, salt, salt);
    await by?.sign(descriptor.digest, "app", this.#nextCommit());
    const annotations = referrer === undefined ? undefined : { "io.atcr.atproto.did": referrer };
    if (annotations !== undefined) registry.attach(path, descriptor, { annotations, fallbackTag: true });
    return { name: `${registry.authority}/${path}`, digest: descriptor.digest };
  }

  get #registries(): readonly StandInRegistry[] {
    return [this.registry, this.simple, this.atcr];
  }

  get #all(): readonly StandInServer[] {
    return [this.plc, this.web, this.pds, ...this.#registries, ...(this.names === undefined ? [] : [this.names.host])];
  }

  /** Adds this many milliseconds to every answer over HTTP; name servers answer at once. */
  delay(milliseconds: number): void {
    for (const server of this.#all) server.delay(milliseconds);
  }

  /** Forgets what was asked. */
  forget(): void {
    for (const server of this.#all) server.forget();
  }

  /** How much was asked since the last {@link forget}. */
  get asked(): string {
    const identities = this.plc.count() + this.web.count();
    const registries = this.#registries.reduce((sum, registry) => sum + registry.count(), 0);
    const counts = [identities, this.pds.count(), registries, this.names?.host.count() ?? 0].join(", ");
    return `${counts} requests (identity, PDS, registry, handle)`;
  }

  /** Of these, the longest chain in which each waited for the one before. */
  get inSequence(): number {
    return sequentialRoundTrips(this.#all.flatMap(({ requests }) => requests));
  }

  async stop(): Promise<void> {
    this.names?.server.stop();
    for (const server of this.#all) await server.stop();
  }

  #nextCommit(): number {
    this.#commits += 1;
    return this.#begun + 1000 + this.#commits;
  }
}
