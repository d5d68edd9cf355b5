import { formatDateTime } from "../encoding/time.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { countOf, signersOfAll } from "../policy/signer-refs.ts";
import { signerStatus } from "../policy/standing.ts";
import { at, called, isJudging, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** How long in advance the end of trust is reported: enough time to update the policy on every node. */
const SOON = 14 * 24 * 60 * 60 * 1000;

/** Signers that are not trusted now, or soon will not be, and signers or revocations without effect. */
export function lintSigners(question: PolicyQuestion): readonly PolicyFinding[] {
  const { policy } = question;
  const judging = policy.rules.filter(isJudging);
  const asked = new Set(signersOfAll(policy, judging));
  const asksAll = policy.fallback === "audit";
  // A rule that trusts every signer of the file does not name any.
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

/** A policy as installed, or an audit rule without signers: every image gets policy.no_signers there. */
function noSigners({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  const waiting = policy.rules.filter((rule) => isJudging(rule) && countOf(rule.trusts) === 0);
  const [first] = waiting;
  const name = "no-signers";
  if (policy.everyone.length === 0 && (first !== undefined || policy.fallback === "audit")) {
    const message = "no signer yet: no audited image can be verified";
    const place = first === undefined ? places.ofDefault() : places.ofRule(first.name);
    return [
      {
        severity: "warning",
        name,
        message,
        advice: "put a DID under trustedDIDs; atcr-verify identity HANDLE prints it",
        ...at(place),
      },
    ];
  }
  return waiting.map(({ name: rule }) => {
    const message = `rule "${rule}" trusts no signer yet`;
    const place = places.ofRule(rule, ["require", "trustedDIDs"]);
    return { severity: "warning", name, message, advice: "list at least one DID there", ...at(place) };
  });
}

function standing(signer: TrustedSigner, isNamed: boolean, { now, places }: PolicyQuestion): readonly PolicyFinding[] {
  const { validFrom, expiresAt } = signer;
  const warn = (name: string, message: string, advice: string, key?: string): readonly PolicyFinding[] => {
    const place = places.ofSigner(signer.did, key === undefined ? [] : [key]);
    return [{ severity: "warning", name, message: `${called(signer)} ${message}`, advice, ...at(place) }];
  };
  switch (signerStatus(signer, now)) {
    case "revoked": {
      const advice = "remove the DID from the rule";
      return isNamed ? warn("signer-revoked", "is revoked, but a rule still names them", advice) : [];
    }
    case "not yet valid":
      return warn(
        "signer-not-yet-valid",
        `is not trusted before ${formatDateTime(validFrom ?? 0)}`,
        "until then their signatures do not count",
        "validFrom",
      );
    case "expired":
      return warn(
        "signer-expired",
        `expired at ${formatDateTime(expiresAt ?? 0)} and is no longer trusted`,
        "remove the DID; if you still trust it, set a later expiresAt",
        "expiresAt",
      );
    case "trusted":
      return expiresAt === undefined || expiresAt - now > SOON
        ? []
        : warn(
            "signer-expires-soon",
            `is trusted only until ${formatDateTime(expiresAt)}, less than 14 days from now`,
            "have images signed by another signer; if you keep trusting this one, set a later expiresAt",
            "expiresAt",
          );
  }
}

function unused(signer: TrustedSigner, { places }: PolicyQuestion): PolicyFinding {
  const message = `${called(signer)} is trusted by no rule`;
  const advice = "add the DID to a rule, or remove it";
  return { severity: "warning", name: "signer-unused", message, advice, ...at(places.ofSigner(signer.did)) };
}

/** A revoked DID that the policy does not trust anyway may be a typing error. */
function strangers({ policy, places, revoked }: PolicyQuestion): readonly PolicyFinding[] {
  const known = new Set(policy.everyone.map(({ did }) => did));
  return revoked
    .filter((did) => !known.has(did))
    .map((did) => {
      const message = `revokedDIDs lists ${did}, which this policy does not trust anyway`;
      const advice = "check the DID for a typing error; if it is right, this line has no effect";
      return { severity: "warning", name: "revocation-unused", message, advice, ...at(places.ofRevocation(did)) };
    });
}
