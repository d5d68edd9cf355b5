import type { Did } from "../../src/core/atproto/syntax.ts";
import type { SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import { PlcLog } from "./plc-operations.ts";
import { MANIFEST_COLLECTION, manifestRecord, type RecordValue, SignedRepo, TAG_COLLECTION } from "./signed-repo.ts";
import { type Curve, type SigningKey, signingKey } from "./signing-key.ts";

export interface SignerOptions {
  /** Everything about the signer follows from it. */
  readonly seed: string;
  /** Origin of the PDS, as the log names it. */
  readonly pds: string;
  /** Milliseconds since 1970: the genesis of the log and the first commit. */
  readonly at: number;
  /** Of the repo's key; default k256. */
  readonly curve?: Curve;
  readonly handle?: string;
  /** The last of them signs the log; default: one k256 key. */
  readonly rotationKeys?: readonly SigningKey[];
  /** Other records in the repo; default 20. */
  readonly others?: number;
}

/** A did:plc with its log and its repo: everything that a directory and a PDS serve of one signer. */
export class Signer {
  readonly did: Did;
  readonly key: SigningKey;
  readonly rotationKey: SigningKey;
  readonly log: PlcLog;
  readonly repo: SignedRepo;
  readonly #pds: string;

  private constructor(parts: { key: SigningKey; rotationKey: SigningKey; log: PlcLog; repo: SignedRepo; pds: string }) {
    this.did = parts.log.did as Did;
    this.key = parts.key;
    this.rotationKey = parts.rotationKey;
    this.log = parts.log;
    this.repo = parts.repo;
    this.#pds = parts.pds;
  }

  static async create(options: SignerOptions): Promise<Signer> {
    const { seed, pds, at, curve = "k256", handle = `${seed}.example.com`, others = 20 } = options;
    const key = signingKey(curve, `${seed} repo`);
    const { rotationKeys = [signingKey("k256", `${seed} rotation`)] } = options;
    const rotationKey = rotationKeys.at(-1) as SigningKey;
    const log = await PlcLog.create({ rotationKeys, signingKey: key, handle, pds }, { at, signer: rotationKey });
    const repo = await SignedRepo.create({ did: log.did, key, at });
    if (others > 0) await repo.fill(others, at + 1);
    return new Signer({ key, rotationKey, log, repo, pds });
  }

  /** Writes ATCR's record of this digest; `changes` replace or add fields. */
  async sign(digest: string, repository: string, at: number, changes: RecordValue = {}): Promise<void> {
    const record = { ...manifestRecord(digest, repository), createdAt: new Date(at).toISOString(), ...changes };
    await this.repo.put(MANIFEST_COLLECTION, recordKey(digest), record, at);
  }

  /** Writes ATCR's record that the tag means this digest. */
  async tag(repository: string, tag: string, digest: string, at: number): Promise<void> {
    const manifest = `at://${this.did}/${MANIFEST_COLLECTION}/${recordKey(digest)}`;
    const record = { $type: TAG_COLLECTION, repository, tag, manifest };
    await this.repo.put(TAG_COLLECTION, `${repository.replaceAll("/", "~")}_${tag}`, record, at);
  }

  async unsign(digest: string, at: number): Promise<void> {
    await this.repo.delete(MANIFEST_COLLECTION, recordKey(digest), at);
  }

  /** The proof about this digest: of presence, or of absence. */
  async proof(digest: string): Promise<Uint8Array> {
    return this.repo.proof(MANIFEST_COLLECTION, recordKey(digest));
  }

  /** What would be gathered at `fetchedAt`; parts may be exchanged for forged ones. */
  async evidence(
    digest: string,
    fetchedAt: number,
    forged: { identity?: Uint8Array; record?: Uint8Array } = {},
  ): Promise<Required<Omit<SignatureEvidence, "tag">>> {
    const query = `did=${encodeURIComponent(this.did)}&collection=${MANIFEST_COLLECTION}&rkey=${recordKey(digest)}`;
    return {
      signer: this.did,
      identity: {
        url: `https://plc.example.com/${this.did}/log/audit`,
        bytes: forged.identity ?? this.log.bytes(),
        fetchedAt,
      },
      record: {
        url: `${this.#pds}/xrpc/com.atproto.sync.getRecord?${query}`,
        bytes: forged.record ?? (await this.proof(digest)),
        fetchedAt,
      },
    };
  }
}

function recordKey(digest: string): string {
  return digest.slice("sha256:".length);
}
