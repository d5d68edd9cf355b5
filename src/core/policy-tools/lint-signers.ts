import { formatDateTime } from "../encoding/time.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { countOf, signersOfAll } from "../policy/signer-refs.ts";
import { standingOf } from "../policy/standing.ts";
import { at, called, isJudging, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** How long before the trust in a signer ends it is said: time enough for a change of every node's policy. */
const SOON = 14 * 24 * 60 * 60 * 1000;

/** Signers whose word does not count now, or soon, and those whom nothing asks. */
export function lintSigners(question: PolicyQuestion): readonly PolicyFinding[] {
  const { policy } = question;
  const judging = policy.rules.filter(isJudging);
  const asked = new Set(signersOfAll(policy, judging));
  const asksAll = policy.fallback === "audit";
  // A rule that trusts all of the file names nobody.
  const named = new Set(
    signersOfAll(
      policy,
      judging.filter(({ trusts }) => countOf(trusts) < policy.everyone.length),
    ),
  );
  const findings = policy.everyone.flatMap((signer) => [
    ...standing(signer, named.has(signer), question),
    ...(asked.has(signer) || asksAll ? [] : [unused(signer, question)]),
  ]);
  return [...noSigners(question), ...findings, ...strangers(question)];
}

/** A policy as it is installed, and rules that audit for nobody: each image gets policy.no_signers there. */
function noSigners({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  const waiting = policy.rules.filter((rule) => isJudging(rule) && countOf(rule.trusts) === 0);
  const [first] = waiting;
  const name = "no-signers";
  if (policy.everyone.length === 0 && (first !== undefined || policy.fallback === "audit")) {
    const message = "no signer yet: what is audited has nobody who could have signed it";
    const place = first === undefined ? places.ofDefault() : places.ofRule(first.name);
    return [{ severity: "warning", name, message, advice: "put a DID under trustedDIDs", ...at(place) }];
  }
  return waiting.map(({ name: rule }) => {
    const message = `rule "${rule}" trusts no signer yet`;
    const place = places.ofRule(rule, ["require", "trustedDIDs"]);
    return { severity: "warning", name, message, advice: "name a DID there, or leave the key out", ...at(place) };
  });
}

function standing(signer: TrustedSigner, isNamed: boolean, { now, places }: PolicyQuestion): readonly PolicyFinding[] {
  const { validFrom, expiresAt } = signer;
  const warn = (name: string, message: string, advice: string, key?: string): readonly PolicyFinding[] => {
    const place = places.ofSigner(signer.did, key === undefined ? [] : [key]);
    return [{ severity: "warning", name, message: `${called(signer)} ${message}`, advice, ...at(place) }];
  };
  switch (standingOf(signer, now)) {
    case "revoked": {
      const advice = "remove the DID from the rule, or from revokedDIDs if the revocation was a mistake";
      return isNamed ? warn("signer-revoked", "is revoked, and a rule names them all the same", advice) : [];
    }
    case "not yet valid":
      return warn(
        "signer-not-yet-valid",
        `is trusted only from ${formatDateTime(validFrom ?? 0)} on`,
        "until then their signatures count for nothing",
        "validFrom",
      );
    case "expired":
      return warn(
        "signer-expired",
        `has not been trusted since ${formatDateTime(expiresAt ?? 0)}`,
        "set a later expiresAt, or remove the DID",
        "expiresAt",
      );
    case "trusted":
      return expiresAt === undefined || expiresAt - now > SOON
        ? []
        : warn(
            "signer-expires-soon",
            `is trusted until ${formatDateTime(expiresAt)} only, which is less than 14 days`,
            "set a later expiresAt, or have images signed by somebody else",
            "expiresAt",
          );
  }
}

function unused(signer: TrustedSigner, { places }: PolicyQuestion): PolicyFinding {
  const message = `${called(signer)} is trusted by no rule`;
  const advice = "name the DID in a rule, or remove it";
  return { severity: "warning", name: "signer-unused", message, advice, ...at(places.ofSigner(signer.did)) };
}

/** A revocation that takes effect on nobody may be one of somebody else, by a typing error. */
function strangers({ policy, places, revoked }: PolicyQuestion): readonly PolicyFinding[] {
  const known = new Set(policy.everyone.map(({ did }) => did));
  return revoked
    .filter((did) => !known.has(did))
    .map((did) => {
      const message = `revokedDIDs names ${did}, whom this policy trusts nowhere`;
      const advice = "see whether the DID is written rightly; if it is, nothing depends on this line";
      return { severity: "warning", name: "revocation-unused", message, advice, ...at(places.ofRevocation(did)) };
    });
}
