import { isHandle } from "../../../core/atproto/handle.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { formatReference, type ImageReference, normaliseReference } from "../../../core/oci/reference.ts";
import type { TrustedSigner } from "../../../core/policy/policy.ts";
import { decidedBy } from "../../../core/policy-tools/expectations.ts";
import { type Explanation, explain, type Required } from "../../../core/policy-tools/explain.ts";
import { called } from "../../../core/policy-tools/policy-finding.ts";
import { atcrName } from "../../../core/verify/atcr-name.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { policySource } from "../../../io/settings/policy-source.ts";
import type { ProcessEdge } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { folded, screenOf } from "../terminal/screen.ts";

/** `atcr-verify policy explain IMAGE`: which rule applies, why the others do not, what it asks for. */
export function policyExplain({ operands, options }: LineOf<"policy explain">, edge: ProcessEdge): never {
  const [written] = operands;
  const name = normaliseReference(written);
  const config = loadConfig(edge.environment, options.config);
  const { policy, path, distrusted } = policySource(options.policy, config);
  for (const { message } of distrusted) edge.warnings.warn({ code: "settings.distrusted", message });

  const explanation = explain({ policy, atcrHosts: config.atcrHosts, now: Date.now() }, name, name.digest);
  const asked = { written, name, path, explanation, handle: atcrName(name, config.atcrHosts)?.handle };
  edge.print(options.output === "json" ? jsonText(toJson(asked)) : folded(toText(asked), screenOf(edge.environment)));
}

interface Asked {
  readonly written: string;
  readonly name: ImageReference;
  readonly path: string;
  readonly explanation: Explanation;
  /** What stands in the handle's place; undefined where names have none. */
  readonly handle: string | undefined;
}

function toText(asked: Asked): string {
  const { written, name, path, explanation } = asked;
  const { passedOver, requires, action } = explanation;
  const full = formatReference(name);
  const lines = [
    ...(full === written ? [] : [`${written} is read as ${full}`]),
    `${full}: ${action}, by ${decidedBy(explanation)} of ${path}`,
    ...(explanation.digestsNotLookedAt === true ? [NO_DIGEST] : []),
    ...(requires === undefined ? [MEANINGS[action]] : requirementLines(requires, asked)),
    ...(action === "audit" ? ["It only audits: what does not satisfy it is let through, and the reason says so."] : []),
    ...passedOver.flatMap(({ rule, scopes }) => [
      `Rule "${rule}" before it does not apply:`,
      ...scopes.map(({ scope, because }) => `  ${scope}: ${because}`),
    ]),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

const NO_DIGEST = "The lists of digests, which come before all rules, were not looked at, as the name has no digest.";
const MEANINGS = {
  allow: "It is let through without a signature.",
  deny: "It is refused, whoever has signed it.",
  enforce: "",
  audit: "",
} as const;

function requirementLines(required: Required, { name, handle, explanation }: Asked): readonly string[] {
  const { signers, minSignatures, owner, tag, repository, maxAge, minKeyAge, maxStaleness } = required;
  const names = typeof repository === "string" ? repository : repository.join(", ");
  const lines = [
    `It needs ${minSignatures === 1 ? "1 signature" : `${minSignatures} signatures, by different DIDs with different keys,`} of:`,
    ...(signers.length === 0 ? ["  nobody yet: put a DID under trustedDIDs"] : []),
    ...signers.flatMap(({ signer, standing }) => [
      `  ${called(signer)}: ${standing}${until(signer)}`,
      ...(signer.keys === undefined ? [] : [`    only by the key ${signer.keys.join(" or ")}`]),
      ...(signer.pds === undefined ? [] : [`    only from the PDS ${signer.pds.join(" or ")}`]),
      ...(signer.minRev === undefined ? [] : [`    only by a commit of rev ${signer.minRev} or newer`]),
    ]),
    owner === "any" ? "owner: any, whose handle stands in the name is not looked at" : ownerLine(handle, explanation),
    repository === "any"
      ? "repository: any, the record may name any repository"
      : repository === "match"
        ? "repository: match, the record must name the image's own repository"
        : `repository: the record must name one of ${names}`,
    tag === "any" ? "tag: any, what the tag leads to is not looked at" : tagLine(name),
  ];
  if (maxAge !== undefined) lines.push(`maxAge: the record is at most ${span(maxAge)} old`);
  if (minKeyAge !== undefined) {
    const both = `in place for ${span(minKeyAge)}, and known to this node for as long`;
    lines.push(`minKeyAge: the signer's key has been ${both}, unless it is pinned`);
  }
  if (maxStaleness !== undefined) {
    lines.push(
      `maxStaleness: where services cannot be reached, evidence verified in the last ${span(maxStaleness)} counts`,
    );
  }
  return lines;
}

function ownerLine(handle: string | undefined, { action }: Explanation): string {
  if (handle !== undefined && isHandle(handle))
    return `owner: match, the handle ${handle} must be the signer's, in both directions`;
  const refused = action === "enforce" ? ": every pull of it is refused" : "";
  return `owner: match, the name has no handle and no signature satisfies that${refused}`;
}

/** containerd hands over no tag where it pulls by digest; people may name both. */
function tagLine({ tag, digest }: ImageReference): string {
  const leads = `a record of the signer must lead from ${tag === undefined ? "the tag, where the pull has one," : `the tag ${tag}`} to the digest`;
  return tag === undefined || digest === undefined
    ? `tag: match, ${leads}`
    : `tag: match, for "verify" ${leads}; containerd pulls this name by digest, and no tag is checked then`;
}

function until({ validFrom, expiresAt }: { readonly validFrom?: number; readonly expiresAt?: number }): string {
  const from = validFrom === undefined ? "" : ` from ${formatDateTime(validFrom)}`;
  const to = expiresAt === undefined ? "" : ` until ${formatDateTime(expiresAt)}`;
  return from === "" && to === "" ? "" : `, valid${from}${to}`;
}

/** A span in the longest unit that measures it exactly; up to three days in hours, as `72h` is written. */
function span(milliseconds: number): string {
  const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
  const longest = milliseconds > 3 * units.d ? Object.entries(units) : Object.entries(units).slice(1);
  const unit = longest.find(([, length]) => milliseconds % length === 0);
  return unit === undefined ? `${milliseconds}ms` : `${milliseconds / unit[1]}${unit[0]}`;
}

function toJson({ written, name, path, explanation }: Asked) {
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

function requirementJson({ signers, maxAge, minKeyAge, maxStaleness, ...required }: Required) {
  return {
    ...required,
    ...(maxAge !== undefined && { maxAge: span(maxAge) }),
    ...(minKeyAge !== undefined && { minKeyAge: span(minKeyAge) }),
    ...(maxStaleness !== undefined && { maxStaleness: span(maxStaleness) }),
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
