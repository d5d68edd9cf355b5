import type { Identity } from "../atproto/identity.ts";
import type { Did } from "../atproto/syntax.ts";
import { formatDateTime } from "../encoding/time.ts";
import type { PolicyRule, TrustedSigner } from "../policy/policy.ts";
import { selecting } from "../policy/signer-refs.ts";
import { isLasting } from "../policy/standing.ts";
import type { RejectionCode } from "../rejection.ts";
import { at, called, isJudging, listed, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** What was learned of a signer's identity: who they are now, or why that is not known. */
export type KnownIdentity = Identity | { readonly code: RejectionCode; readonly detail: string };

/**
 * What the signers' identities say about a policy, as they are now.
 *
 * @param identities of the signers that were asked for; text in them is attacker-controlled
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
  const lasting = selecting(policy, (signer) => isLasting(signer, now));
  const asked = selecting(policy, ({ did }) => known.has(did));
  for (const rule of policy.rules.filter(isJudging)) {
    const askedOf = asked(rule.trusts);
    const unasked = lasting(rule.trusts).length - askedOf.filter((signer) => isLasting(signer, now)).length;
    findings.push(...shared(rule, askedOf, unasked, known, question), ...youngKeys(rule, askedOf, known, question));
  }
  return findings;
}

function unusable(
  signer: TrustedSigner,
  { code, detail }: { readonly code: RejectionCode; readonly detail: string },
  { places }: PolicyQuestion,
): PolicyFinding {
  // A directory holds every did:plc there is; what a host answers may be another tomorrow.
  if (code === "identity.unknown_did" && signer.did.startsWith("did:plc:")) {
    const message = `there is no identity ${called(signer)}: ${detail}`;
    const advice = "correct the DID; atcr-verify identity HANDLE prints it";
    return { severity: "error", name: "identity-unknown", message, advice, ...at(places.ofSigner(signer.did)) };
  }
  const isClosed = code === "identity.deactivated";
  const message = isClosed
    ? `the identity of ${called(signer)} has been closed by a tombstone`
    : `the identity of ${called(signer)} could not be looked at: ${code}: ${detail}`;
  const advice = isClosed
    ? "remove the DID: it can sign nothing any more"
    : "see whether the DID is written rightly and its directory or host answers; --offline asks nobody";
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
    const message = `the key of ${called(signer)} is ${key.didKey} now, which is not among those pinned: every signature is refused`;
    add("error", "key-not-pinned", message, "ask the signer whether they changed it, and pin the new one", "keys");
  }
  if (signer.pds?.includes(pds) === false) {
    const message = `the PDS of ${called(signer)} is ${pds} now, which is not among those pinned: every signature is refused`;
    add("error", "pds-not-pinned", message, "ask the signer whether they moved, and pin the new one", "pds");
  }
  const hold = services.find(({ id, type }) => /(?:^|#)atcr_hold$/.test(id) || /hold/i.test(type));
  if (hold !== undefined) {
    const message = `${called(signer)} declares a hold service ("${hold.id}", ${hold.type}): the repo of a hold has records of images that it only stores`;
    add("warning", "signer-is-hold", message, "trust the DID of the owner of the images instead");
  }
  return findings;
}

/**
 * What makes two signers one: whoever has the key, or runs the PDS, can sign for both.
 *
 * @param looked those of the rule's signers whose identities are known
 * @param unasked how many of the others may sign by keys of their own
 */
function shared(
  rule: PolicyRule,
  looked: readonly TrustedSigner[],
  unasked: number,
  known: ReadonlyMap<Did, Identity>,
  { now, places }: PolicyQuestion,
): readonly PolicyFinding[] {
  const { minSignatures } = rule.requirement;
  if (minSignatures === 1) return [];
  const lasting = looked.filter((signer) => isLasting(signer, now));
  const place = places.ofRule(rule.name, ["require", "minSignatures"]);
  const keyOf = ({ did }: TrustedSigner) => known.get(did)?.key.didKey ?? did;
  const keys = new Set(lasting.map(keyOf)).size + unasked;
  const isReachable = keys >= minSignatures;
  const asked = `rule "${rule.name}" asks for ${minSignatures} signatures`;
  const advice = "trust signers who depend on nothing in common";
  return [
    ...groups(lasting, keyOf).map((group): PolicyFinding => {
      const reached = isReachable ? "" : ` and can get ${keys}`;
      const message = `${asked}${reached}: these signers have one key and count as one: ${listed(group, called)}`;
      return { severity: isReachable ? "warning" : "error", name: "shared-key", message, advice, ...at(place) };
    }),
    ...groups(lasting, ({ did }) => known.get(did)?.pds ?? did).map((group): PolicyFinding => {
      const message = `${asked}: the operator of one PDS can write for ${listed(group, called)}`;
      return { severity: "warning", name: "shared-pds", message, advice, ...at(place) };
    }),
  ];
}

/** Those of whom several have the same. */
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
    const message = `the key of ${called(signer)} is new since ${formatDateTime(since)}: rule "${rule.name}" refuses it until ${formatDateTime(since + minKeyAge)}`;
    const advice = "ask the signer whether they changed it; pin it under keys if it must count at once";
    const place = places.ofRule(rule.name, ["require", "minKeyAge"]);
    return [{ severity: "warning", name: "key-too-young", message, advice, ...at(place) } as const];
  });
}
