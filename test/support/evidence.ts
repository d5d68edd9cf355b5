import { createHash } from "node:crypto";
import { type Did, isDid, isTid, tidTime } from "../../src/core/atproto/syntax.ts";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import type { Bundle } from "../../src/core/evidence/bundle.ts";
import type { BundledImage } from "../../src/core/evidence/bundled-image.ts";
import type { Claim } from "../../src/core/evidence/claim.ts";
import type { Evidence, Fetched, Gap, Pointer, SignatureEvidence, Subject } from "../../src/core/evidence/evidence.ts";
import { type Digest, digestHex, isDigest } from "../../src/core/oci/digest.ts";
import type { Requirement, Rule, TrustedSigner } from "../../src/core/policy/policy.ts";
import type { JudgeInput } from "../../src/core/verify/judge.ts";
import { questionOf } from "../../src/core/verify/question.ts";
import type { Attempt, SignatureFacts } from "../../src/core/verify/verdict.ts";
import { didDocument } from "./did-document.ts";
import { PlcLog, type PlcState } from "./plc-operations.ts";
import {
  MANIFEST_COLLECTION,
  manifestRecord,
  type RecordValue,
  SignedRepo,
  TAG_COLLECTION,
  tid,
} from "./signed-repo.ts";
import { type Curve, type SigningKey, signingKey } from "./signing-key.ts";

/**
 * Builders for the verifier's input: whole signers with real evidence, and single facts for
 * tests of the judgement only. All are deterministic.
 */

const DAY = 24 * 60 * 60 * 1000;
/** The time at which the tests judge; milliseconds since 1970. */
export const NOW = Date.UTC(2025, 5, 1, 12);
/** When identities began. */
export const BORN = NOW - 300 * DAY;
/** When the record was written. */
export const SIGNED = NOW - 10 * DAY;

export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const INDEX = "application/vnd.oci.image.index.v1+json";

/** The digest of a text: images need no content here. */
export function digestOf(content: string): Digest {
  const text = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  if (!isDigest(text)) throw new Error(`${text} is no digest`);
  return text;
}

export const DIGEST = digestOf("the image");

export const TAG = "v1";
/** Where the repository `app` has the record of TAG. */
export const TAG_KEY = `app_${TAG}`;

/** Any text as the DID it must be. */
export function asDid(text: string): Did {
  if (!isDid(text)) throw new Error(`${text} is no DID`);
  return text;
}

/** A DID for tests that need none that is real: the same for the same letter. */
export function didNamed(letter: string): Did {
  return asDid(`did:plc:${letter.repeat(24)}`);
}

// --- facts and rules, for tests of the judgement ----------------------------------------------

export function subject(changes: Partial<Subject> = {}): Subject {
  return { name: { host: "registry.example", path: "team/app" }, digest: DIGEST, mediaType: MANIFEST, ...changes };
}

export function trusted(did: Did, changes: Partial<TrustedSigner> = {}): TrustedSigner {
  return { did, revoked: false, ...changes };
}

/** The rule of a policy that a test makes without a file. */
export const PRODUCTION = { name: "production", file: "policy.yaml", line: 7 };

export function rule(
  signers: readonly TrustedSigner[],
  changes: Partial<Requirement> = {},
  action: Rule["action"] = "enforce",
): Rule {
  return {
    ...PRODUCTION,
    action,
    requirement: { signers, minSignatures: 1, repository: "match", tag: "any", ...changes },
  };
}

/** CID of no real commit. */
export const COMMIT_CID = `bafyrei${"a".repeat(52)}`;

export function facts(signer: Did, changes: Partial<SignatureFacts> = {}): SignatureFacts {
  const rev = tid(SIGNED * 1000);
  if (!isTid(rev)) throw new Error(`${rev} is no TID`);
  return {
    signer,
    digest: DIGEST,
    key: `did:key:of-${signer}`,
    keySince: BORN,
    pds: "https://pds.example",
    handles: [],
    rev,
    commitCid: COMMIT_CID,
    revTime: tidTime(rev),
    claim: claim(),
    ...changes,
  };
}

export function claim(changes: Partial<Claim> = {}): Claim {
  return { repository: "app", mediaType: MANIFEST, createdAt: SIGNED, ...changes };
}

export function found(signer: Did, code: Gap["code"]): Attempt {
  return { signer, finding: { signer, code, detail: `${code} of ${signer}` } };
}

export function gap(
  code: Gap["code"],
  signer?: Did,
  service: Gap["service"] = signer === undefined ? "registry" : "pds",
): Gap {
  return { service, ...(signer ? { signer } : {}), code, detail: code };
}

export function pointer(signer: Did): Pointer {
  return { signer, url: "https://registry.example/v2/team/app/referrers/x" };
}

export function caseOf(judged: Rule, changes: Partial<JudgeInput> = {}): JudgeInput {
  const { subject: about = subject(), atcrHosts = ["atcr.io"], now = NOW } = changes;
  return { ...questionOf(about, judged, atcrHosts, now), attempts: [], pointers: [], gaps: [], now, ...changes };
}

// --- whole signers, whose evidence is real ------------------------------------------------------

export interface SignerOptions {
  /** Makes keys and handle; signers of different names share nothing. */
  readonly name: string;
  readonly curve?: Curve;
  readonly method?: "plc" | "plc-legacy" | "web";
  /** Overrides for signers that share a key. */
  readonly key?: SigningKey;
  /** The record of DIGEST; null: none is written. */
  readonly record?: RecordValue | null;
  /** Changes the record of TAG, which maps it to DIGEST; none: there is no such record. */
  readonly tag?: RecordValue;
  /** Records of other digests beside it, so that the tree has depth. */
  readonly others?: number;
  /** Rev of the commit that holds the record, milliseconds since 1970. */
  readonly at?: number;
  /** Changes the first state of a did:plc. */
  readonly state?: Partial<PlcState>;
}

/** A signer with an identity and a repo, and what a node would fetch of both. */
export interface TestSigner {
  readonly did: Did;
  readonly key: SigningKey;
  readonly rotationKey: SigningKey;
  readonly pds: string;
  readonly repo: SignedRepo;
  /** Throws for a did:web. */
  readonly log: PlcLog;
  /** What the directory or the did:web host answers now. */
  readonly identity: () => Fetched;
  /** What the PDS answers now to a request for the record of DIGEST. */
  readonly record: () => Promise<Fetched>;
  /** The same for the record of TAG in the repository `app`. */
  readonly tag: () => Promise<Fetched>;
  /** Without a proof of the tag. */
  readonly evidence: () => Promise<SignatureEvidence>;
}

export function recordOf(digest: Digest = DIGEST, changes: RecordValue = {}): RecordValue {
  return { ...manifestRecord(digest, "app"), createdAt: new Date(SIGNED).toISOString(), ...changes };
}

/** The record in this signer's repo that maps TAG of `app` to DIGEST. */
export function tagRecordOf(signer: string, changes: RecordValue = {}): RecordValue {
  const manifest = `at://${signer}/${MANIFEST_COLLECTION}/${digestHex(DIGEST)}`;
  const createdAt = new Date(SIGNED).toISOString();
  return { $type: TAG_COLLECTION, repository: "app", tag: TAG, manifest, createdAt, ...changes };
}

export async function signer(options: SignerOptions): Promise<TestSigner> {
  const { name, curve = "k256", method = "plc", others = 12, at = SIGNED } = options;
  const key = options.key ?? signingKey(curve, name);
  const rotationKey = signingKey("k256", `${name} rotation`);
  const pds = `https://pds.${name}.example`;
  const handle = `${name}.test`;
  const state = { rotationKeys: [rotationKey], signingKey: key, handle, pds, ...options.state };
  const begun = { at: BORN };
  const log = await (method === "plc-legacy" ? PlcLog.createLegacy(state, begun) : PlcLog.create(state, begun));
  const did = asDid(method === "web" ? `did:web:${name}.example` : log.did);

  const repo = await SignedRepo.create({ did, key, at: BORN });
  await repo.fill(others, BORN + DAY);
  const written = options.record === undefined ? recordOf() : options.record;
  if (written !== null) await repo.put(MANIFEST_COLLECTION, digestHex(DIGEST), written, at);
  if (options.tag !== undefined) await repo.put(TAG_COLLECTION, TAG_KEY, tagRecordOf(did, options.tag), at);

  const identity = (): Fetched =>
    method === "web"
      ? fetched(`https://${name}.example/.well-known/did.json`, json(didDocument({ did, handles: [handle], key, pds })))
      : fetched(`https://plc.example/${did}/log/audit`, log.bytes());
  const proof = async (collection: string, rkey: string): Promise<Fetched> =>
    fetched(recordUrl(pds, did, collection, rkey), await repo.proof(collection, rkey));
  const record = () => proof(MANIFEST_COLLECTION, digestHex(DIGEST));
  return {
    did,
    key,
    rotationKey,
    pds,
    repo,
    get log(): PlcLog {
      if (method === "web") throw new Error("a did:web has no log");
      return log;
    },
    identity,
    record,
    tag: () => proof(TAG_COLLECTION, TAG_KEY),
    evidence: async () => ({ signer: did, identity: identity(), record: await record() }),
  };
}

/** A bundle of one image, gathered at NOW. */
export function bundleOf(evidence: Partial<Evidence>, digest = DIGEST): Bundle {
  return { gatheredAt: NOW, images: [imageOf(evidence, digest)] };
}

export function imageOf(evidence: Partial<Evidence>, digest = DIGEST): BundledImage {
  return { digest, names: [], evidence: { pointers: [], signatures: [], gaps: [], ...evidence } };
}

export function fetched(url: string, bytes: Uint8Array): Fetched {
  return { url, bytes, fetchedAt: NOW };
}

/** UTF-8 of the value as JSON. */
export function json(value: unknown): Uint8Array {
  return toUtf8(JSON.stringify(value));
}

function recordUrl(pds: string, did: Did, collection: string, rkey: string): string {
  const query = `did=${did}&collection=${collection}&rkey=${rkey}`;
  return `${pds}/xrpc/com.atproto.sync.getRecord?${query}`;
}
