import type { Identity } from "../atproto/identity.ts";
import { type Did, isPlc } from "../atproto/syntax.ts";
import { formatDateTime } from "../encoding/time.ts";
import type { PolicyRule, TrustedSigner } from "../policy/policy.ts";
import { selecting } from "../policy/signer-refs.ts";
import { isCurrentOrFuture } from "../policy/standing.ts";
import type { RejectionCode } from "../rejection.ts";
import { at, called, isJudging, listed, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** A signer's current identity, or why it is not known. */
export type KnownIdentity = Identity | UnknownIdentity;

interface UnknownIdentity {
  readonly code: RejectionCode;
  readonly detail: string;
  /** Each configured directory answered that it does not know the DID. */
  readonly isKnownNowhere?: true;
}

/**
 * Mistakes in a policy that show in the signers' current identities.
 *
 * @param identities those that were looked up; text in them is attacker-controlled
 */
export function lintIdentities(
  question: PolicyQuestion,
  identities: ReadonlyMap<Did, KnownIdentity>,
): readonly PolicyFinding[] {
  const known = new Map<Did, Identity>();
  const findings: PolicyFinding[] = [];
  for (const signer of question.policy.everyone) {
    const identity = identities.get(signer.did);
    if (identity === undefined) continue;
    if ("key" in identity) {
      known.set(signer.did, identity);
      findings.push(...lintIdentity(signer, identity, question));
    } else {
      findings.push(unusable(signer, identity, question));
    }
  }
  const { policy, now } = question;
  const lasting = selecting(policy, (signer) => isCurrentOrFuture(signer, now));
  const asked = selecting(policy, ({ did }) => known.has(did));
  for (const rule of policy.rules.filter(isJudging)) {
    const askedOf = asked(rule.trusts);
    const notContacted =
      lasting(rule.trusts).length - askedOf.filter((signer) => isCurrentOrFuture(signer, now)).length;
    findings.push(
      ...shared(rule, askedOf, notContacted, known, question),
      ...youngKeys(rule, askedOf, known, question),
    );
  }
  return findings;
}

function unusable(
  signer: TrustedSigner,
  { code, detail, isKnownNowhere }: UnknownIdentity,
  { places }: PolicyQuestion,
): PolicyFinding {
  // Directories have every did:plc, so this is certain if all of them say so; a did:web host may answer differently tomorrow.
  if (isKnownNowhere === true && isPlc(signer.did)) {
    const message = `${called(signer)} does not exist: ${detail}`;
    const advice = "correct the DID; atcr-verify identity HANDLE prints it";
    return { severity: "error", name: "identity-unknown", message, advice, ...at(places.ofSigner(signer.did)) };
  }
  const isClosed = code === "identity.deactivated";
  const message = isClosed
    ? `the identity of ${called(signer)} was closed by a tombstone`
    : `the identity of ${called(signer)} could not be looked up: ${code}: ${detail}`;
  const advice = isClosed
    ? "remove the DID: it can no longer sign"
    : "check the DID for a typing error, then that its directory or host can be reached; --offline skips the look-up";
  const name = isClosed ? "identity-closed" : "identity-unresolved";
  return { severity: "warning", name, message, advice, ...at(places.ofSigner(signer.did)) };
}

function lintIdentity(
  signer: TrustedSigner,
  { key, pds, services }: Identity,
  { places }: PolicyQuestion,
): readonly PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const add = (severity: PolicyFinding["severity"], name: string, message: string, advice: string, key?: string) =>
    findings.push({
      severity,
      name,
      message,
      advice,
      ...at(places.ofSigner(signer.did, key === undefined ? [] : [key])),
    });
  if (signer.keys?.includes(key.didKey) === false) {
    const message = `the current key of ${called(signer)} is not pinned, so every signature is rejected: ${key.didKey}`;
    add("error", "key-not-pinned", message, "ask the signer whether they changed it; if so, pin the new one", "keys");
  }
  if (signer.pds?.includes(pds) === false) {
    const message = `the current PDS of ${called(signer)} is not pinned, so every signature is rejected: ${pds}`;
    add("error", "pds-not-pinned", message, "ask the signer whether they moved; if so, pin the new one", "pds");
  }
  const hold = services.find(({ id, type }) => /(?:^|#)atcr_hold$/.test(id) || /hold/i.test(type));
  if (hold !== undefined) {
    const message = `${called(signer)} declares a hold service ("${hold.id}", ${hold.type}): a hold has records of images that it only stores, and does not speak for their owners`;
    add("warning", "signer-is-hold", message, "trust the DID of the images' owner instead");
  }
  return findings;
}

/**
 * Signers that are not independent: they share a key, or a PDS whose operator can write for both.
 *
 * @param looked the rule's signers whose identities are known
 * @param notContacted how many other signers can sign, each presumably with a key of its own
 */
function shared(
  rule: PolicyRule,
  looked: readonly TrustedSigner[],
  notContacted: number,
  known: ReadonlyMap<Did, Identity>,
  { now, places }: PolicyQuestion,
): readonly PolicyFinding[] {
  const { minSignatures } = rule.requirement;
  if (minSignatures === 1) return [];
  const lasting = looked.filter((signer) => isCurrentOrFuture(signer, now));
  const place = places.ofRule(rule.name, ["require", "minSignatures"]);
  const keyOf = ({ did }: TrustedSigner) => known.get(did)?.key.didKey ?? did;
  const keys = new Set(lasting.map(keyOf)).size + notContacted;
  const isReachable = keys >= minSignatures;
  const asked = `rule "${rule.name}" requires ${minSignatures} signatures`;
  const advice = "trust signers that share neither key nor PDS";
  return [
    ...groups(lasting, keyOf).map((group): PolicyFinding => {
      const reached = isReachable ? "" : ` but can get only ${keys}`;
      const message = `${asked}${reached}: these signers share a key and count as one: ${listed(group, called)}`;
      return { severity: isReachable ? "warning" : "error", name: "shared-key", message, advice, ...at(place) };
    }),
    ...groups(lasting, ({ did }) => known.get(did)?.pds ?? did).map((group): PolicyFinding => {
      const message = `${asked}: these signers share a PDS, whose operator can write for all of them: ${listed(group, called)}`;
      return { severity: "warning", name: "shared-pds", message, advice, ...at(place) };
    }),
  ];
}

/** Groups of two or more signers with the same value. */
function groups(
  signers: readonly TrustedSigner[],
  of: (signer: TrustedSigner) => string,
): readonly (readonly TrustedSigner[])[] {
  return [...Map.groupBy(signers, of).values()].filter((group) => group.length > 1);
}

function youngKeys(
  rule: PolicyRule,
  asked: readonly TrustedSigner[],
  known: ReadonlyMap<Did, Identity>,
  { now, places }: PolicyQuestion,
): readonly PolicyFinding[] {
  const { minKeyAge } = rule.requirement;
  if (minKeyAge === undefined) return [];
  return asked.flatMap((signer) => {
    const since = known.get(signer.did)?.keySince;
    if (since === undefined || signer.keys !== undefined || now - since >= minKeyAge) return [];
    const message = `the key of ${called(signer)} is in place only since ${formatDateTime(since)}: rule "${rule.name}" rejects it until ${formatDateTime(since + minKeyAge)}`;
    const advice = "ask the signer whether they changed it; if so, and it must count at once, pin it under keys";
    const place = places.ofRule(rule.name, ["require", "minKeyAge"]);
    return [{ severity: "warning", name: "key-too-young", message, advice, ...at(place) } as const];
  });
}
