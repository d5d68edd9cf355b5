import { RECOVERY_WINDOW } from "../atproto/plc-log.ts";
import { formatDateTime } from "../encoding/time.ts";
import { chooseDistinct } from "./choose-distinct.ts";
import { at, called, isJudging, listed, type PolicyFinding, type PolicyQuestion } from "./finding.ts";
import { ownerMatters } from "./lint-scopes.ts";
import type { PolicyRule, TrustedSigner } from "./policy.ts";
import { isLasting } from "./standing.ts";

/** Requirements that nothing can meet, or that protect from less than they seem to. */
export function lintRequirements(question: PolicyQuestion): readonly PolicyFinding[] {
  const judging = question.policy.rules.filter(isJudging).filter(({ requirement }) => requirement.signers.length > 0);
  return judging.flatMap((rule) => [
    ...(unmeetable(rule, question) ?? byOneOwner(rule, question)),
    ...keyAge(rule, question),
  ]);
}

/** @returns undefined where enough signers are there */
function unmeetable(rule: PolicyRule, question: PolicyQuestion): readonly PolicyFinding[] | undefined {
  const { now, places } = question;
  const { signers, minSignatures } = rule.requirement;
  const lasting = signers.filter((signer) => isLasting(signer, now));
  const error = (name: string, message: string, advice: string, key = "minSignatures"): readonly PolicyFinding[] => {
    const place = places.ofRule(rule.name, ["require", key]);
    return [{ severity: "error", name, message: `rule "${rule.name}" ${message}`, advice, ...at(place) }];
  };
  if (lasting.length === 0) {
    const message = `trusts nobody any more: ${listed(signers.map(called))} ${signers.length === 1 ? "is" : "are all"} revoked or expired`;
    return error("rule-without-signers", message, "trust somebody whose time has not ended", "trustedDIDs");
  }
  if (lasting.length < minSignatures) {
    const message = `needs ${minSignatures} signatures, and ${lasting.length} of its signers ${lasting.length === 1 ? "is" : "are"} neither revoked nor expired`;
    return error("signatures-unreachable", message, "trust more signers, or ask for fewer signatures");
  }
  const keys = minSignatures === 1 ? 1 : differentKeys(lasting);
  if (keys < minSignatures) {
    const message = `needs ${minSignatures} signatures by different keys, and the keys pinned allow for ${keys}`;
    return error("signatures-unreachable", message, "pin keys that differ, or ask for fewer signatures");
  }
  return notYet(rule, lasting, question);
}

/** How many of them can sign by a key that none of the others uses; without a pin, any of them can. */
function differentKeys(signers: readonly TrustedSigner[]): number {
  const possible = signers.map(({ did, keys }) => keys ?? [did]);
  return chooseDistinct(possible, (key) => key).length;
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
  const names = listed(affected.map(({ text }) => text));
  const message = `rule "${rule.name}" needs ${minSignatures} signatures, and the owner's alone counts for ${names}`;
  const advice = `owner: match is the default on ${listed(atcrHosts)}: write "owner: any" for this rule, or ask for one signature`;
  const place = places.ofRule(rule.name, ["require", "minSignatures"]);
  return [
    { severity: isCertain ? "error" : "warning", name: "signatures-by-one-owner", message, advice, ...at(place) },
  ];
}

function keyAge({ name: rule, requirement }: PolicyRule, { places, now }: PolicyQuestion): readonly PolicyFinding[] {
  const { minKeyAge, signers } = requirement;
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
  const unpinned = signers.filter((signer) => signer.keys === undefined && isLasting(signer, now));
  if (unpinned.length > 0) {
    const message = `rule "${rule}" asks for minKeyAge of signers without pinned keys: ${listed(unpinned.map(called))}`;
    const advice =
      "a node that has never seen a signer refuses them for that long: pin their keys, or bring the stateDir of a node that knows them along";
    findings.push(warn("key-age-unpinned", message, advice));
  }
  return findings;
}
