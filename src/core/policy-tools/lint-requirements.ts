import { RECOVERY_WINDOW } from "../atproto/plc-log.ts";
import { isPlc } from "../atproto/syntax.ts";
import { formatDateTime } from "../encoding/time.ts";
import { chooseDistinct } from "../policy/choose-distinct.ts";
import type { PolicyRule, SignerRefs, TrustedSigner } from "../policy/policy.ts";
import { countOf, selecting, signersOf } from "../policy/signer-refs.ts";
import { MAX_DIRECT } from "../policy/signers.ts";
import { isCurrentOrFuture, signerStatus } from "../policy/standing.ts";
import { ownerMatters } from "./lint-scopes.ts";
import { at, called, isJudging, listed, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** Some of a rule's signers. */
type Some = (refs: SignerRefs) => readonly TrustedSigner[];
interface SignersOf {
  /** Neither revoked nor expired: trusted now, or later. */
  readonly lasting: Some;
  readonly trusted: Some;
  /** Lasting signers without pinned keys. */
  readonly unpinned: Some;
}

/** Requirements that cannot be met, or that protect less than they seem to. */
export function lintRequirements(question: PolicyQuestion): readonly PolicyFinding[] {
  const { policy, now } = question;
  const judging = policy.rules.filter((rule) => isJudging(rule) && countOf(rule.trusts) > 0);
  const of: SignersOf = {
    lasting: selecting(policy, (signer) => isCurrentOrFuture(signer, now)),
    trusted: selecting(policy, (signer) => signerStatus(signer, now) === "trusted"),
    unpinned: selecting(policy, (signer) => signer.keys === undefined && isCurrentOrFuture(signer, now)),
  };
  return judging.flatMap((rule) => [
    ...(unmeetable(rule, of, question) ?? byOneOwner(rule, question)),
    ...keyAge(rule, of, question),
    ...offline(rule, of, question),
    ...byReferrers(rule, of, question),
  ]);
}

/** @returns undefined if there are enough signers */
function unmeetable(rule: PolicyRule, of: SignersOf, question: PolicyQuestion): readonly PolicyFinding[] | undefined {
  const { places, policy } = question;
  const { minSignatures } = rule.requirement;
  const lasting = of.lasting(rule.trusts);
  const error = (name: string, message: string, advice: string, key = "minSignatures"): readonly PolicyFinding[] => {
    const place = places.ofRule(rule.name, ["require", key]);
    return [{ severity: "error", name, message: `rule "${rule.name}" ${message}`, advice, ...at(place) }];
  };
  if (lasting.length === 0) {
    const signers = signersOf(policy, rule.trusts);
    const message = `has no valid signer left: ${listed(signers, called)} ${signers.length === 1 ? "is" : "are all"} revoked or expired`;
    return error("rule-without-signers", message, "add a signer that is neither revoked nor expired", "trustedDIDs");
  }
  if (lasting.length < minSignatures) {
    const message = `requires ${minSignatures} signatures, but only ${lasting.length} of its signers ${lasting.length === 1 ? "is" : "are"} neither revoked nor expired`;
    return error("signatures-unreachable", message, "add more signers to the rule");
  }
  const keys = minSignatures === 1 ? 1 : differentKeys(lasting, minSignatures);
  if (keys < minSignatures) {
    const message = `requires ${minSignatures} signatures with different keys, but the pinned keys allow only ${keys}`;
    return error("signatures-unreachable", message, "pin a different key for each signer");
  }
  return of.trusted(rule.trusts).length >= minSignatures ? undefined : notYet(rule, lasting, question);
}

/** How many of them can sign, each with a key that no other uses; a signer without pinned keys always can. */
function differentKeys(signers: readonly TrustedSigner[], enough: number): number {
  const possible = signers.values().map(({ did, keys }) => keys ?? [did]);
  return chooseDistinct(possible, (key) => key, enough).length;
}

function notYet(
  { name, requirement: { minSignatures } }: PolicyRule,
  lasting: readonly TrustedSigner[],
  { now, places }: PolicyQuestion,
): readonly PolicyFinding[] | undefined {
  const starts = lasting.map(({ validFrom }) => validFrom ?? Number.NEGATIVE_INFINITY).sort((a, b) => a - b);
  const from = starts[minSignatures - 1] ?? now;
  if (from <= now) return undefined;
  const message = `rule "${name}" cannot be satisfied before ${formatDateTime(from)}: until then, too few of its signers are trusted`;
  const advice = "add signers that are trusted now, or correct validFrom if it is a mistake";
  const [late] = lasting.filter(({ validFrom }) => validFrom === from);
  const place = late && places.ofSigner(late.did, ["validFrom"]);
  return [{ severity: "error", name: "signatures-unreachable", message, advice, ...at(place) }];
}

/** A handle belongs to one DID: under `owner: match`, only the owner's signature counts. */
function byOneOwner(rule: PolicyRule, { atcrHosts, places }: PolicyQuestion): readonly PolicyFinding[] {
  const { minSignatures } = rule.requirement;
  if (minSignatures === 1) return [];
  const affected = rule.scopes.filter((scope) => ownerMatters(rule, scope, atcrHosts) !== "never");
  if (affected.length === 0) return [];
  const isCertain = rule.scopes.every((scope) => ownerMatters(rule, scope, atcrHosts) === "always");
  const names = listed(affected, ({ text }) => text);
  const message = `rule "${rule.name}" requires ${minSignatures} signatures, but owner: match counts only the owner's for ${names}`;
  const advice = `owner: match is the default on ${listed(atcrHosts, (host) => host)}; choose between the owner's signature (minSignatures: 1) and those of several signers (owner: any)`;
  const place = places.ofRule(rule.name, ["require", "minSignatures"]);
  return [
    { severity: isCertain ? "error" : "warning", name: "signatures-by-one-owner", message, advice, ...at(place) },
  ];
}

/** Of many signers, only those are looked up that a referrer or the handle in the name names (spec 3.3). */
function byReferrers(rule: PolicyRule, of: SignersOf, { atcrHosts, places }: PolicyQuestion): readonly PolicyFinding[] {
  const count = of.lasting(rule.trusts).length;
  const affected = rule.scopes.filter((scope) => ownerMatters(rule, scope, atcrHosts) !== "always");
  if (count <= MAX_DIRECT || affected.length === 0) return [];
  const names = listed(affected, ({ text }) => text);
  const message = `rule "${rule.name}" trusts ${count} signers, more than ${MAX_DIRECT}: for ${names}, signers are found by referrers only, so every image of a registry without them is refused`;
  const advice = `trust at most ${MAX_DIRECT} signers in a rule: they are looked up without referrers`;
  const place = places.ofRule(rule.name, ["require", "trustedDIDs"]);
  return [{ severity: "warning", name: "referrers-needed", message, advice, ...at(place) }];
}

/** What an unsealed bundle on the command line cannot show, and a sealed or imported one can. */
function offline(
  { name: rule, trusts, requirement: { offlineFor } }: PolicyRule,
  of: SignersOf,
  { places }: PolicyQuestion,
): readonly PolicyFinding[] {
  const web = offlineFor === undefined ? [] : of.unpinned(trusts).filter(({ did }) => !isPlc(did));
  if (web.length === 0) return [];
  const message = `rule "${rule}" sets offlineFor, and these did:web signers have no pinned keys: ${listed(web, called)}`;
  const advice =
    "their documents prove nothing by themselves, so they count only from a sealed or imported bundle: pin their keys";
  const place = places.ofRule(rule, ["require", "offlineFor"]);
  return [{ severity: "warning", name: "offline-unpinned", message, advice, ...at(place) }];
}

function keyAge(
  { name: rule, trusts, requirement: { minKeyAge } }: PolicyRule,
  of: SignersOf,
  { places }: PolicyQuestion,
): readonly PolicyFinding[] {
  if (minKeyAge === undefined) return [];
  const place = places.ofRule(rule, ["require", "minKeyAge"]);
  const warn = (name: string, message: string, advice: string): PolicyFinding => {
    return { severity: "warning", name, message, advice, ...at(place) };
  };
  const findings: PolicyFinding[] = [];
  if (minKeyAge < RECOVERY_WINDOW) {
    const message = `minKeyAge of rule "${rule}" is shorter than 72h, the time within which the owner of a hijacked account can recover it`;
    findings.push(warn("key-age-short", message, "set it to 72h or more"));
  }
  const unpinned = of.unpinned(trusts);
  if (unpinned.length > 0) {
    const message = `rule "${rule}" sets minKeyAge, and these signers have no pinned keys: ${listed(unpinned, called)}`;
    const advice =
      "a node that has never seen a signer rejects them for that long: pin their keys, or copy the stateDir of a node that has seen them";
    findings.push(warn("key-age-unpinned", message, advice));
  }
  return findings;
}
