import { isHandle } from "../../../core/atproto/handle.ts";
import type { Config } from "../../../core/config/config.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { formatReference, type ImageReference, normaliseReference } from "../../../core/oci/reference.ts";
import type { TrustedSigner } from "../../../core/policy/policy.ts";
import { decidedBy } from "../../../core/policy-tools/expectations.ts";
import { type Explanation, explain, type Required } from "../../../core/policy-tools/explain.ts";
import { called } from "../../../core/policy-tools/policy-finding.ts";
import { reject } from "../../../core/rejection.ts";
import { atcrName } from "../../../core/verify/atcr-name.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { policySource } from "../../../io/settings/policy-source.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { namedPolicy } from "../terminal/named-policy.ts";
import { folded, screenOf } from "../terminal/screen.ts";

/** `atcr-verify policy explain IMAGE`: which rule applies, what it requires, and why earlier rules do not match. */
export async function policyExplain(
  { operands, options }: LineOf<"policy explain">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [written] = operands;
  const { pod } = options;
  if ((written === undefined) === (pod === undefined))
    reject("input.malformed", `found ${pod === undefined ? "neither" : "both"} IMAGE and --pod, expected one of them`);
  if (pod !== undefined)
    return (await import("./policy-explain-pod.ts")).policyExplainPod({ operands, options }, pod, lifecycle);
  if (written === undefined) reject("input.malformed", "found no IMAGE");
  const name = normaliseReference(written);
  const config = loadConfig(lifecycle.environment, options.config);
  const { policy, path } = await policyToExplain(options.policy, config, lifecycle);
  const explanation = explain({ policy, atcrHosts: config.atcrHosts, now: Date.now() }, name, name.digest);
  const asked = { written, name, path, explanation, handle: atcrName(name, config.atcrHosts)?.handle };
  lifecycle.print(
    options.output === "json"
      ? jsonText(explainedJson(asked))
      : folded(explainedText(asked), screenOf(lifecycle.environment)),
  );
}

/** The policy that a person asks about, of which files that others can change are warned of. */
export async function policyToExplain(named: string | undefined, config: Config, lifecycle: ProcessLifecycle) {
  const { policy, path, untrustedFiles } = policySource(await namedPolicy(named, config, lifecycle));
  for (const { message } of untrustedFiles) lifecycle.warnings.warn({ code: "settings.distrusted", message });
  return { policy, path };
}

/** An image, and what is known of it. */
export interface ExplainedName {
  readonly written: string;
  readonly name: ImageReference;
  readonly path: string;
  readonly explanation: Explanation;
  /** The component in the handle's place; undefined on hosts whose names have none. */
  readonly handle: string | undefined;
}

/** For people, in lines. */
export function explainedText(asked: ExplainedName): string {
  const { written, name, path, explanation } = asked;
  const { passedOver, requires, action } = explanation;
  const full = formatReference(name);
  const lines = [
    ...(full === written ? [] : [`${written} is read as ${full}`]),
    `${full}: ${action}, by ${decidedBy(explanation)} of ${path}`,
    ...(explanation.digestsNotLookedAt === true ? [NO_DIGEST] : []),
    ...(requires === undefined ? [MEANINGS[action]] : requirementLines(requires, asked)),
    ...(action === "audit"
      ? ["Audit only: an image that does not satisfy this is still allowed, and the reason says so."]
      : []),
    ...passedOver.flatMap(({ rule, scopes }) => [
      `Earlier rule "${rule}" does not match:`,
      ...scopes.map(({ scope, because }) => `  ${scope}: ${because}`),
    ]),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

const NO_DIGEST =
  "The name has no digest, so the policy's lists of digests, which come before all rules, were skipped.";
const MEANINGS = {
  allow: "It is allowed without a signature.",
  deny: "It is refused, even if it is signed.",
  enforce: "",
  audit: "",
} as const;

function requirementLines(required: Required, { name, handle, explanation }: ExplainedName): readonly string[] {
  const { signers, minSignatures, owner, tag, repository, maxAge, minKeyAge, maxStaleness, offlineFor } = required;
  const names = typeof repository === "string" ? repository : repository.join(", ");
  const lines = [
    minSignatures === 1
      ? "It requires a signature by one of:"
      : `It requires ${minSignatures} signatures, by different DIDs with different keys, of:`,
    ...(signers.length === 0 ? ["  no signer yet: put a DID under trustedDIDs"] : []),
    ...signers.flatMap(({ signer, standing }) => [
      `  ${called(signer)}: ${standing}${until(signer)}`,
      ...(signer.keys === undefined ? [] : [`    only with the key ${signer.keys.join(" or ")}`]),
      ...(signer.pds === undefined ? [] : [`    only from the PDS ${signer.pds.join(" or ")}`]),
      ...(signer.minRev === undefined ? [] : [`    only in a commit with rev ${signer.minRev} or newer`]),
    ]),
    owner === "any" ? "owner: any; the handle in the image name is not checked" : ownerLine(handle, explanation),
    repository === "any"
      ? "repository: any; the record may name any repository"
      : repository === "match"
        ? "repository: match; the record must name the image's own repository"
        : `repository: the record must name one of ${names}`,
    tag === "any" ? "tag: any; the tag is not checked" : tagLine(name),
  ];
  if (maxAge !== undefined) lines.push(`maxAge: the record must be at most ${span(maxAge)} old`);
  if (minKeyAge !== undefined) {
    const both = `in place for ${span(minKeyAge)}, and known to this node for as long`;
    lines.push(`minKeyAge: the signer's key must have been ${both}, unless it is pinned`);
  }
  if (maxStaleness !== undefined) {
    lines.push(
      `maxStaleness: while a service cannot be reached, cached evidence at most ${span(maxStaleness)} old counts`,
    );
  }
  if (offlineFor !== undefined) {
    lines.push(`offlineFor: evidence from a bundle counts for ${span(offlineFor)} after it was sealed or imported`);
  }
  return lines;
}

function ownerLine(handle: string | undefined, { action }: Explanation): string {
  if (handle !== undefined && isHandle(handle))
    return `owner: match; the handle ${handle} must resolve to the signer's DID, and the DID must claim the handle`;
  const refused = action === "enforce" ? ": every pull is refused" : "";
  return `owner: match; the image name has no handle, so no signature satisfies this${refused}`;
}

/** containerd passes no tag for a pull by digest; a person may name both. */
function tagLine({ tag, digest }: ImageReference): string {
  const leads = `a record of the signer must map ${tag === undefined ? "the tag, if the pull has one," : `the tag ${tag}`} to the digest`;
  return tag === undefined || digest === undefined
    ? `tag: match; ${leads}`
    : `tag: match; for "verify", ${leads}; containerd pulls this name by digest, without checking the tag`;
}

function until({ validFrom, expiresAt }: { readonly validFrom?: number; readonly expiresAt?: number }): string {
  const from = validFrom === undefined ? "" : ` from ${formatDateTime(validFrom)}`;
  const to = expiresAt === undefined ? "" : ` until ${formatDateTime(expiresAt)}`;
  return from === "" && to === "" ? "" : `, valid${from}${to}`;
}

/** A duration in the largest unit that divides it exactly; up to three days in hours, such as `72h`. */
function span(milliseconds: number): string {
  const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
  const longest = milliseconds > 3 * units.d ? Object.entries(units) : Object.entries(units).slice(1);
  const unit = longest.find(([, length]) => milliseconds % length === 0);
  return unit === undefined ? `${milliseconds}ms` : `${milliseconds / unit[1]}${unit[0]}`;
}

/** Its keys are part of the public interface (docs/reference/cli.md). */
export function explainedJson({ written, name, path, explanation }: ExplainedName) {
  const { action, rule, passedOver, requires, digestsNotLookedAt } = explanation;
  return {
    image: formatReference(name),
    written,
    policy: path,
    action,
    decidedBy: explanation.decidedBy,
    ...(rule !== undefined && { rule }),
    ...(digestsNotLookedAt && { digestsNotLookedAt }),
    ...(requires && { requires: requirementJson(requires) }),
    passedOver,
  };
}

function requirementJson({ signers, maxAge, minKeyAge, maxStaleness, offlineFor, ...required }: Required) {
  return {
    ...required,
    ...(maxAge !== undefined && { maxAge: span(maxAge) }),
    ...(minKeyAge !== undefined && { minKeyAge: span(minKeyAge) }),
    ...(maxStaleness !== undefined && { maxStaleness: span(maxStaleness) }),
    ...(offlineFor !== undefined && { offlineFor: span(offlineFor) }),
    signers: signers.map(({ signer, standing }) => signerJson(signer, standing)),
  };
}

function signerJson({ did, name, validFrom, expiresAt, keys, pds, minRev }: TrustedSigner, standing: string) {
  return {
    did,
    ...(name !== undefined && { name }),
    standing,
    ...(validFrom !== undefined && { validFrom: formatDateTime(validFrom) }),
    ...(expiresAt !== undefined && { expiresAt: formatDateTime(expiresAt) }),
    ...(keys && { keys }),
    ...(pds && { pds }),
    ...(minRev !== undefined && { minRev }),
  };
}
