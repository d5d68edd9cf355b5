import { fromHex, toBase58btc } from "../../src/core/encoding/bytes.ts";
import type { Evidence, Fetched, SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import { digestHex } from "../../src/core/oci/digest.ts";
import type { RejectionCode } from "../../src/core/rejection.ts";
import {
  BORN,
  DIGEST,
  digestOf,
  fetched,
  gap,
  INDEX,
  json,
  MANIFEST,
  NOW,
  pointer,
  recordOf,
  SIGNED,
  type SignerOptions,
  signer,
  type TestSigner,
} from "../support/evidence.ts";
import { type BlockEdit, type CommitForgery, forgeCommit, forgeTree, linkTo } from "../support/forged-proof.ts";
import { MANIFEST_COLLECTION, type RecordValue } from "../support/signed-repo.ts";
import { signingKey } from "../support/signing-key.ts";
import type { Expected, Vector } from "./load.ts";

/** A vector before it is written: what differs from the plain case. */
export interface VectorCase {
  /** File name without `.json`: the code that is expected, or `allow`, and what tells it from others. */
  readonly title: string;
  readonly description: string;
  readonly expected: Expected;
  readonly evidence: Partial<Evidence>;
  readonly policy: string;
  readonly changes?: Partial<Vector>;
}

const [MINUTE, DAY] = [60_000, 24 * 60 * 60_000];
const iso = (ms: number) => new Date(ms).toISOString();
const STRANGER = "did:web:stranger.example";

// --- policies -----------------------------------------------------------------------------------

interface PolicyParts {
  /** What the policy says of each signer, as YAML in one line. */
  readonly about?: string;
  readonly require?: string;
  readonly action?: string;
  readonly scope?: string;
  /** Further lines of the file. */
  readonly more?: string;
}

/** A policy that trusts these signers for all of registry.example. */
export function trusting(signers: readonly TestSigner[], parts: PolicyParts = {}): string {
  const { about = "{}", require = "signature: true", action = "enforce", scope = "registry.example/**" } = parts;
  return [
    "version: 1.0",
    "trustedDIDs:",
    ...signers.map(({ did }) => `  ${did}: ${about}`),
    "policies:",
    "  - name: production",
    `    scope: "${scope}"`,
    ...(action === "allow" || action === "deny" ? [] : [`    require: { ${require} }`]),
    `    action: ${action}`,
    ...(parts.more === undefined ? [] : [parts.more]),
    "",
  ].join("\n");
}

// --- people -------------------------------------------------------------------------------------

export const alice = (changes: Partial<SignerOptions> = {}) => signer({ name: "alice", ...changes });
export const bob = (changes: Partial<SignerOptions> = {}) => signer({ name: "bob", ...changes });
/** Alice, whose record of the image says something else than it should. */
const aliceWith = (record: RecordValue) => alice({ record: recordOf(DIGEST, record) });
export const mallory = signingKey("k256", "mallory");

async function withProof(who: TestSigner, forge: (car: Uint8Array) => Promise<Uint8Array> | Uint8Array) {
  const record = await who.record();
  return { signer: who.did, identity: who.identity(), record: { ...record, bytes: await forge(record.bytes) } };
}

const withCommit = (who: TestSigner, forgery: CommitForgery) => withProof(who, (car) => forgeCommit(car, forgery));
const withTree = (who: TestSigner, edit: BlockEdit) => withProof(who, (car) => forgeTree(car, who.key, edit));

/** The signer's evidence with another answer of the directory or host, and no proof where that is no use. */
const identified = (who: TestSigner, identity: Fetched): SignatureEvidence => ({ signer: who.did, identity });

function manifestBlob(content: string): RecordValue {
  const cid = Uint8Array.of(1, 0x55, 0x12, 32, ...fromHex(digestHex(digestOf(content))));
  return { manifestBlob: { $type: "blob", ref: linkTo(cid), mimeType: MANIFEST, size: 512 } };
}

// --- what is allowed ----------------------------------------------------------------------------

async function allowed(): Promise<VectorCase[]> {
  const because = (kind: Expected["because"], code?: RejectionCode): Expected =>
    ({ outcome: "allow", because: kind, ...(code === undefined ? {} : { code }) }) as Expected;
  const signedBy = async (title: string, description: string, who: TestSigner, parts: Partial<VectorCase> = {}) => ({
    title: `allow.${title}`,
    description,
    expected: because("signed"),
    evidence: { signatures: [await who.evidence()] },
    policy: trusting([who]),
    ...parts,
  });

  const plain = await alice();
  const second = await bob({ curve: "p256" });
  const rotated = await alice();
  const next = signingKey("p256", "alice, next");
  await rotated.log.update({ signingKey: next }, { at: BORN + DAY, signer: rotated.rotationKey });
  await rotated.repo.resign(SIGNED + DAY, next);
  const pinned = `{ keys: ["${plain.key.did()}"], pds: ["${plain.pds}"], validFrom: "${iso(NOW)}", expiresAt: "${iso(NOW + 1)}" }`;
  const both = { signatures: [await plain.evidence(), await second.evidence()] };
  const everything = [gap("registry.unreachable"), gap("pds.unreachable", plain.did)];
  const unsigned = { title: "", expected: because("exempt"), evidence: {}, policy: trusting([plain]) };

  return [
    await signedBy("k256", "A did:plc with a key of k256 signed the image.", plain),
    await signedBy("p256", "A did:plc with a key of p256 signed the image.", await alice({ curve: "p256" })),
    await signedBy("did_web", "A did:web signed the image.", await alice({ method: "web" })),
    await signedBy(
      "legacy_create",
      "A did:plc that began with a legacy create signed the image.",
      await alice({ method: "plc-legacy" }),
    ),
    await signedBy("rotated", "The signer's key was replaced and the repo signed anew by the new one.", rotated),
    await signedBy("pinned", "Key, PDS and time are those that the policy pins.", plain, {
      policy: trusting([plain], { about: pinned }),
    }),
    await signedBy(
      "blob",
      "The record links to a copy of the manifest, whose hash is the digest.",
      await aliceWith(manifestBlob("the image")),
    ),
    await signedBy("atcr_host", "On a host of ATCR the path is the handle and the record's repository.", plain, {
      policy: trusting([plain], { scope: "atcr.io/*/app", require: "owner: any" }),
      changes: { name: "atcr.io/alice.test/app:latest" },
    }),
    await signedBy(
      "any_repository",
      "The rule does not ask which repository the record is about.",
      await aliceWith({ repository: "other" }),
      {
        policy: trusting([plain], { require: "repository: any" }),
      },
    ),
    await signedBy("fresh", "The record is exactly as old as the rule allows.", plain, {
      policy: trusting([plain], { require: "maxAge: 10d" }),
    }),
    await signedBy(
      "media_type",
      "The record and the registry name the same type of manifest.",
      await aliceWith({ mediaType: INDEX }),
      {
        changes: { mediaType: INDEX },
      },
    ),
    await signedBy("two_signers", "The rule wants two signatures and there are two, by two keys.", plain, {
      evidence: both,
      policy: trusting([plain, second], { require: "minSignatures: 2" }),
    }),
    await signedBy("gaps", "What is missing does not matter where the rule is met.", plain, {
      evidence: { signatures: [await plain.evidence()], gaps: everything },
    }),
    await signedBy("second_attempt", "An attempt that fails does not spoil one that holds.", plain, {
      evidence: { signatures: [await withCommit(plain, { key: mallory }), await plain.evidence()] },
    }),
    {
      ...unsigned,
      title: "allow.exempt",
      description: "A rule asks for no signature.",
      policy: trusting([plain], { action: "allow" }),
    },
    {
      ...unsigned,
      title: "allow.digest_list",
      description: "The policy lists the digest under allow, whatever the rules say.",
      policy: trusting([plain], { action: "deny", more: `digests: { allow: ["${DIGEST}"] }` }),
    },
    {
      ...unsigned,
      title: "allow.default",
      description: "No rule matches and the default is allow.",
      policy: trusting([plain], { scope: "other.example/**", more: "default: allow" }),
    },
    {
      ...unsigned,
      title: "allow.audit",
      description: "The rule only watches: an unsigned image is let through.",
      expected: because("audited", "signature.none"),
      policy: trusting([plain], { action: "audit" }),
    },
    {
      ...unsigned,
      title: "allow.audit_unreachable",
      description: "The rule only watches: what could not be told is let through as well.",
      expected: because("audited", "pds.unreachable"),
      evidence: { gaps: [gap("pds.unreachable", plain.did)] },
      policy: trusting([plain], { action: "audit" }),
    },
    {
      ...unsigned,
      title: "allow.default_audit",
      description: "No rule matches and the default only watches.",
      expected: because("audited", "signature.none"),
      policy: trusting([plain], { scope: "other.example/**", more: "default: audit" }),
    },
    await signedBy(
      "default_audit_signed",
      "No rule matches, and the default finds a signature by somebody the policy names.",
      plain,
      {
        policy: trusting([plain], { scope: "other.example/**", more: "default: audit" }),
      },
    ),
  ];
}

// --- what the policy, the identity or the signature refuses ---------------------------------------

async function denied(): Promise<VectorCase[]> {
  const plain = await alice();
  const other = await bob();
  const absent = await alice({ record: null });
  const bobAbsent = await bob({ record: null });
  const evidence = { signatures: [await plain.evidence()] };
  const about = (title: string, description: string, policy: string) => deny(title, description, policy, evidence);
  const facts = async (title: string, description: string, who: TestSigner, require?: string) =>
    deny(title, description, trusting([who], require === undefined ? {} : { require }), {
      signatures: [await who.evidence()],
    });

  const closed = await alice();
  await closed.log.tombstone({ at: BORN + DAY });
  const foreignKey = await alice();
  const ed25519 = `did:key:${toBase58btc(Uint8Array.of(0xed, 1, ...fromHex(digestHex(digestOf("a key")))))}`;
  const edit = (operation: RecordValue) => ({ ...operation, verificationMethods: { atproto: ed25519 } });
  await foreignKey.log.update({}, { at: BORN + DAY, edit });
  const web = await alice({ method: "web" });
  const foreign = await signer({ name: "carol", method: "web" });
  const rotated = await alice();
  await rotated.log.update({ signingKey: signingKey("k256", "alice, next") }, { at: BORN + DAY });
  const deleted = await alice();
  await deleted.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), SIGNED + DAY);
  const sharing = await bob({ key: plain.key });
  const two = trusting([plain, other], { require: "minSignatures: 2" });

  return [
    about(
      "policy.no_match",
      "No rule matches, and the default is deny.",
      trusting([plain], { scope: "other.example/**" }),
    ),
    about("policy.denied", "A rule denies the image, signed or not.", trusting([plain], { action: "deny" })),
    about(
      "policy.denied.digest_list",
      "The policy lists the digest under deny, whatever the rules say.",
      trusting([plain], { action: "allow", more: `digests: { deny: ["${DIGEST}"] }` }),
    ),
    deny("policy.too_few_signatures", "One of two signers signed; the other's repo proves that they did not.", two, {
      signatures: [await plain.evidence(), await bobAbsent.evidence()],
    }),
    deny(
      "policy.too_few_signatures.one_key",
      "Two signers with one key count as one.",
      trusting([plain, sharing], { require: "minSignatures: 2" }),
      {
        signatures: [await plain.evidence(), await sharing.evidence()],
      },
    ),
    deny("policy.too_few_signatures.one_signer", "The same signature twice counts once.", two, {
      signatures: [await plain.evidence(), await plain.evidence()],
    }),
    deny("signature.none", "Nobody signed, says the registry.", trusting([plain]), {}),
    deny(
      "signature.none.absent",
      "Both repos prove that they hold no record, and the registry cannot be reached.",
      trusting([absent, bobAbsent]),
      {
        signatures: [await absent.evidence(), await bobAbsent.evidence()],
        gaps: [gap("registry.unreachable")],
      },
    ),
    deny("signature.none.too_many_asked", "One answer is missing, but the rule wants two signatures.", two, {
      signatures: [await bobAbsent.evidence()],
      gaps: [gap("pds.unreachable", plain.did)],
    }),
    deny("signer.untrusted", "A referrer names a signer whom the rule does not trust.", trusting([absent]), {
      signatures: [await absent.evidence()],
      pointers: [pointer(STRANGER)],
    }),
    deny(
      "signer.untrusted.signed",
      "A signature is good, but by somebody the rule does not trust.",
      trusting([absent]),
      {
        signatures: [await absent.evidence(), await other.evidence()],
        pointers: [pointer(other.did)],
      },
    ),
    about(
      "signer.not_yet_valid",
      "The signer is trusted from a millisecond later on.",
      trusting([plain], { about: `{ validFrom: "${iso(NOW + 1)}" }` }),
    ),
    about(
      "signer.expired",
      "The signer was trusted until now.",
      trusting([plain], { about: `{ expiresAt: "${iso(NOW)}" }` }),
    ),
    about(
      "signer.revoked",
      "The policy revokes the signer.",
      trusting([plain], { more: `revokedDIDs: ["${plain.did}"]` }),
    ),
    deny("identity.deactivated", "The signer's identity ends in a tombstone.", trusting([closed]), {
      signatures: [identified(closed, closed.identity())],
    }),
    deny("identity.invalid", "The document that the did:web host serves is another's.", trusting([web]), {
      signatures: [{ ...(await web.evidence()), identity: foreign.identity() }],
    }),
    deny("identity.invalid.id", "The id of the did:web document is no text.", trusting([web]), {
      signatures: [identified(web, fetched(web.identity().url, json({ id: { toString: 1 } })))],
    }),
    deny("identity.unsupported_key", "The signer's key is of Ed25519.", trusting([foreignKey]), {
      signatures: [identified(foreignKey, foreignKey.identity())],
    }),
    about(
      "identity.key_not_pinned",
      "The policy pins another key.",
      trusting([plain], { about: `{ keys: ["${other.key.did()}"] }` }),
    ),
    about(
      "identity.pds_not_pinned",
      "The policy pins another PDS.",
      trusting([plain], { about: `{ pds: ["${other.pds}"] }` }),
    ),
    deny("commit.malformed", "The commit is of version 2.", trusting([plain]), {
      signatures: [await withCommit(plain, { key: plain.key, edit: (commit) => ({ ...commit, version: 2 }) })],
    }),
    deny("commit.wrong_did", "The proof is one of another's repo.", trusting([plain]), {
      signatures: [{ ...(await plain.evidence()), record: await other.record() }],
    }),
    deny("commit.bad_signature", "The commit is signed by somebody else.", trusting([plain]), {
      signatures: [await withCommit(plain, { key: mallory })],
    }),
    deny(
      "commit.bad_signature.high_s",
      "The commit's signature is the other one that the curve allows, high-S.",
      trusting([plain]),
      {
        signatures: [await withCommit(plain, { sign: (message) => plain.key.signHighS(message) })],
      },
    ),
    await facts(
      "commit.superseded_key",
      "The signer replaced the key, and nothing was written to the repo since.",
      rotated,
    ),
    deny("record.absent", "A referrer names a signer who has deleted the record.", trusting([deleted]), {
      signatures: [await deleted.evidence()],
      pointers: [pointer(deleted.did)],
    }),
    await facts("record.malformed", "The record is of another type.", await aliceWith({ $type: "io.atcr.tag" })),
    await facts(
      "record.malformed.date",
      "The record's date is not in the calendar.",
      await aliceWith({ createdAt: "2025-02-30T00:00:00Z" }),
    ),
    await facts(
      "record.digest_mismatch",
      "The record is about another image.",
      await alice({ record: recordOf(digestOf("another image")) }),
    ),
    {
      ...(await facts(
        "record.media_type_mismatch",
        "The record says manifest where the registry serves an index.",
        plain,
      )),
      changes: { mediaType: INDEX },
    },
    await facts(
      "record.blob_mismatch",
      "The record's copy of the manifest is another image's.",
      await aliceWith(manifestBlob("another image")),
    ),
    await facts(
      "record.wrong_repository",
      "The record's repository is only the end of a component of the path.",
      await aliceWith({ repository: "pp" }),
    ),
    await facts(
      "record.wrong_repository.listed",
      "The record's repository is not among those that the rule lists.",
      plain,
      "repository: [tool, web]",
    ),
    {
      ...(await facts(
        "record.wrong_repository.atcr_host",
        "On a host of ATCR the whole path behind the handle must agree.",
        plain,
      )),
      policy: trusting([plain], { scope: "atcr.io/**" }),
      changes: { name: "atcr.io/alice.test/team/app" },
    },
    await facts(
      "record.too_old",
      "The record is older than the rule allows.",
      await aliceWith({ createdAt: iso(SIGNED - 1) }),
      "maxAge: 10d",
    ),
    await facts(
      "record.from_future",
      "The record is dated more than five minutes ahead.",
      await aliceWith({ createdAt: iso(NOW + 5 * MINUTE + 1) }),
    ),
  ];
}

// --- what could not be told -----------------------------------------------------------------------

/** What may be missing, and whose answer it is. */
const MISSING = {
  registry: ["registry.unreachable", "registry.unauthorized", "registry.bad_response", "registry.too_many_candidates"],
  identity: ["identity.unreachable", "identity.unknown_did", "identity.bad_response", "net.tls"],
  pds: [
    "pds.unreachable",
    "pds.bad_response",
    "pds.repo_unavailable",
    "net.forbidden_address",
    "net.deadline",
    "net.interrupted",
  ],
} as const satisfies Record<string, readonly RejectionCode[]>;

async function unreported(): Promise<VectorCase[]> {
  const plain = await alice();
  const other = await bob();
  const usurped = await alice();
  await usurped.log.update({ signingKey: mallory }, { at: BORN + DAY, signer: mallory });
  await usurped.repo.resign(SIGNED + DAY, mallory);
  const early = await alice({ at: NOW + 5 * MINUTE + 1 });
  const forged = (title: string, description: string, signature: SignatureEvidence) =>
    unknown(title, description, trusting([plain]), { signatures: [signature] });

  const missing = (["registry", "identity", "pds"] as const).flatMap((service) =>
    MISSING[service].map((code) => {
      const whose = service === "registry" ? undefined : plain.did;
      const description = `The answer of the ${service} is missing: ${code}.`;
      return unknown(code, description, trusting([plain]), { gaps: [gap(code, whose, service)] });
    }),
  );
  return [
    ...missing,
    unknown(
      "policy.signatures_unconfirmed",
      "One of two signers signed; the other's PDS cannot be reached.",
      trusting([plain, other], { require: "minSignatures: 2" }),
      {
        signatures: [await plain.evidence()],
        gaps: [gap("pds.unreachable", other.did)],
      },
    ),
    unknown(
      "identity.log_invalid",
      "The log ends in an operation by a key that has no right to it.",
      trusting([usurped]),
      {
        signatures: [await usurped.evidence()],
      },
    ),
    forged("car.malformed", "The proof is cut off.", await withProof(plain, (car) => car.subarray(0, -1))),
    forged("car.hash_mismatch", "A bit of the proof's last block is another.", await withProof(plain, flipLastBit)),
    forged(
      "mst.malformed",
      "A key shares less with the one before it than the tree says.",
      await withTree(plain, (value, { kind }) => (kind === "node" ? { ...value, e: withPrefix(value["e"]) } : value)),
    ),
    forged(
      "mst.incomplete_proof",
      "The proof leads to the record and lacks it.",
      await withTree(plain, (value, { kind }) => (kind === "record" ? "drop" : value)),
    ),
    forged(
      "mst.incomplete_proof.node",
      "The proof lacks the root of the tree.",
      await withTree(plain, (value, { depth }) => (depth === 0 ? "drop" : value)),
    ),
    unknown("commit.from_future", "The repo's commit is dated more than five minutes ahead.", trusting([early]), {
      signatures: [await early.evidence()],
    }),
  ];
}

function flipLastBit(car: Uint8Array): Uint8Array {
  return Uint8Array.from(car, (byte, i) => (i === car.length - 1 ? byte ^ 1 : byte));
}

/** Says of the first entry that it shares a byte with a key before it, where there is none. */
function withPrefix(entries: unknown): unknown {
  return (entries as RecordValue[]).map((entry, i) => (i === 0 ? { ...entry, p: 1 } : entry));
}

// --- what is not evidence about this image ----------------------------------------------------------

async function unusable(): Promise<VectorCase[]> {
  const plain = await alice();
  const given = { evidence: { signatures: [await plain.evidence()] }, policy: trusting([plain]) };
  const wrong = (code: RejectionCode, description: string, changes: Partial<Vector>): VectorCase => ({
    ...given,
    title: code,
    description,
    expected: { outcome: "misconfigured", code },
    changes,
  });
  return [
    wrong("input.digest_mismatch", "The evidence is about another image than the one asked for.", {
      digest: digestOf("another image"),
    }),
    wrong("input.unsupported_digest", "The digest is of SHA-512, which no record can be about.", {
      digest: `sha512:${"0".repeat(128)}`,
    }),
    wrong("image.malformed_reference", "The name has upper case in its path.", {
      name: "registry.example/Team/app:v1",
    }),
    wrong("policy.invalid", "The policy has a key that nobody knows.", {
      policy: trusting([plain], { more: "policy: []" }),
    }),
    wrong("bundle.malformed", "The evidence is of a later version of its format.", {
      bundle: [{ format: "atcr-verify evidence bundle", version: 3 }, { gatheredAt: iso(NOW).replace(".000", "") }],
    }),
  ];
}

export function deny(title: string, description: string, policy: string, evidence: Partial<Evidence>): VectorCase {
  return { title, description, expected: { outcome: "deny", code: codeIn(title) }, evidence, policy };
}

export function unknown(title: string, description: string, policy: string, evidence: Partial<Evidence>): VectorCase {
  return { title, description, expected: { outcome: "inconclusive", code: codeIn(title) }, evidence, policy };
}

/** A title is a code, and perhaps a word behind it. */
function codeIn(title: string): RejectionCode {
  return title.split(".").slice(0, 2).join(".") as RejectionCode;
}

export async function vectorCases(): Promise<readonly VectorCase[]> {
  return [...(await allowed()), ...(await denied()), ...(await unreported()), ...(await unusable())];
}
