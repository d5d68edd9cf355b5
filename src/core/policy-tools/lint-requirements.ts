import { RECOVERY_WINDOW } from "../atproto/plc-log.ts";
import { formatDateTime } from "../encoding/time.ts";
import { chooseDistinct } from "../policy/choose-distinct.ts";
import type { PolicyRule, SignerRefs, TrustedSigner } from "../policy/policy.ts";
import { countOf, selecting, signersOf } from "../policy/signer-refs.ts";
import { MAX_DIRECT } from "../policy/signers.ts";
import { isLasting, standingOf } from "../policy/standing.ts";
import { ownerMatters } from "./lint-scopes.ts";
import { at, called, isJudging, listed, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** Some of a rule's signers. */
type Some = (refs: SignerRefs) => readonly TrustedSigner[];
interface SignersOf {
  /** Those whose word counts now or will. */
  readonly lasting: Some;
  readonly trusted: Some;
  /** Those of the lasting whose keys the policy does not pin. */
  readonly unpinned: Some;
}

/** Requirements that nothing can meet, or that protect from less than they seem to. */
export function lintRequirements(question: PolicyQuestion): readonly PolicyFinding[] {
  const { policy, now } = question;
  const judging = policy.rules.filter((rule) => isJudging(rule) && countOf(rule.trusts) > 0);
  const of: SignersOf = {
    lasting: selecting(policy, (signer) => isLasting(signer, now)),
    trusted: selecting(policy, (signer) => standingOf(signer, now) === "trusted"),
    unpinned: selecting(policy, (signer) => signer.keys === undefined && isLasting(signer, now)),
  };
  return judging.flatMap((rule) => [
    ...(unmeetable(rule, of, question) ?? byOneOwner(rule, question)),
    ...keyAge(rule, of, question),
    ...byReferrers(rule, of, question),
  ]);
}

/** @returns undefined where enough signers are there */
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
    const message = `trusts nobody any more: ${listed(signers, called)} ${signers.length === 1 ? "is" : "are all"} revoked or expired`;
    return error("rule-without-signers", message, "trust somebody whose time has not ended", "trustedDIDs");
  }
  if (lasting.length < minSignatures) {
    const message = `needs ${minSignatures} signatures, and ${lasting.length} of its signers ${lasting.length === 1 ? "is" : "are"} neither revoked nor expired`;
    return error("signatures-unreachable", message, "trust more signers, or ask for fewer signatures");
  }
  const keys = minSignatures === 1 ? 1 : differentKeys(lasting, minSignatures);
  if (keys < minSignatures) {
    const message = `needs ${minSignatures} signatures by different keys, and the keys pinned allow for ${keys}`;
    return error("signatures-unreachable", message, "pin keys that differ, or ask for fewer signatures");
  }
  return of.trusted(rule.trusts).length >= minSignatures ? undefined : notYet(rule, lasting, question);
}

/** How many of them can sign by a key that none of the others uses; without a pin, any of them can. */
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
  const message = `rule "${name}" cannot be met before ${formatDateTime(from)}, when enough of its signers are trusted`;
  const advice = "trust more signers, or set an earlier validFrom";
  const [late] = lasting.filter(({ validFrom }) => validFrom === from);
  const place = late && places.ofSigner(late.did, ["validFrom"]);
  return [{ severity: "error", name: "signatures-unreachable", message, advice, ...at(place) }];
}

/** A handle belongs to one DID: where the owner must have signed, nobody else's signature counts. */
function byOneOwner(rule: PolicyRule, { atcrHosts, places }: PolicyQuestion): readonly PolicyFinding[] {
  const { minSignatures } = rule.requirement;
  if (minSignatures === 1) return [];
  const affected = rule.scopes.filter((scope) => ownerMatters(rule, scope, atcrHosts) !== "never");
  if (affected.length === 0) return [];
  const isCertain = rule.scopes.every((scope) => ownerMatters(rule, scope, atcrHosts) === "always");
  const names = listed(affected, ({ text }) => text);
  const message = `rule "${rule.name}" needs ${minSignatures} signatures, and the owner's alone counts for ${names}`;
  const advice = `owner: match is the default on ${listed(atcrHosts, (host) => host)}: write "owner: any" for this rule, or ask for one signature`;
  const place = places.ofRule(rule.name, ["require", "minSignatures"]);
  return [
    { severity: isCertain ? "error" : "warning", name: "signatures-by-one-owner", message, advice, ...at(place) },
  ];
}

/** Of many signers only those count that a referrer or the handle in the name leads to (spec 3.3). */
function byReferrers(rule: PolicyRule, of: SignersOf, { atcrHosts, places }: PolicyQuestion): readonly PolicyFinding[] {
  const count = of.lasting(rule.trusts).length;
  const affected = rule.scopes.filter((scope) => ownerMatters(rule, scope, atcrHosts) !== "always");
  if (count <= MAX_DIRECT || affected.length === 0) return [];
  const names = listed(affected, ({ text }) => text);
  const message = `rule "${rule.name}" trusts ${count} signers, more than ${MAX_DIRECT}: for ${names} it depends on referrers, and refuses each image of a registry that serves none`;
  const advice = `trust ${MAX_DIRECT} signers or fewer in a rule: each of them is asked without the registry`;
  const place = places.ofRule(rule.name, ["require", "trustedDIDs"]);
  return [{ severity: "warning", name: "referrers-needed", message, advice, ...at(place) }];
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
    const message = `minKeyAge of rule "${rule}" is shorter than 72h, in which the owner of a hijacked account can take it back`;
    findings.push(warn("key-age-short", message, "write 72h or longer"));
  }
  const unpinned = of.unpinned(trusts);
  if (unpinned.length > 0) {
    const message = `rule "${rule}" asks for minKeyAge of signers without pinned keys: ${listed(unpinned, called)}`;
    const advice =
      "a node that has never seen a signer refuses them for that long: pin their keys, or bring the stateDir of a node that knows them along";
    findings.push(warn("key-age-unpinned", message, advice));
  }
  return findings;
}
