import { DID, TID } from "../atproto/syntax.ts";
import { DURATION } from "../encoding/duration.ts";
import { DATE_TIME } from "../encoding/time.ts";
import { DIGEST } from "../oci/digest.ts";
import * as shape from "./shape.ts";

/**
 * The shape of a trust policy file (spec 2, docs/reference/policy.md). parse-policy.ts checks what the strings mean and
 * how they fit together. The descriptions also appear in the JSON Schema.
 */
const did = shape.text("a DID such as did:plc:ewvi7nxzyoun6zhxrhs64oiz", DID);
const time = shape.nullable(shape.text('a date and time such as "2030-01-01T00:00:00Z", or null', DATE_TIME));
const digests = shape.list(
  shape.text("a digest: sha256: and 64 lower-case hex digits", DIGEST),
  "a list of digests, or [] for none",
);
/** An approximation; scope.ts reports what is wrong with a scope. */
const scope = shape.text("a scope such as atcr.io/*/prod-*", /^(?:\*\*|[^/@\sA-Z]+(?:\/[^/@:\sA-Z]+)+)$/);

const signer = shape.keys(
  {
    name: shape.optional(shape.label("a name as text")),
    validFrom: shape.optional(time),
    expiresAt: shape.optional(time),
    keys: shape.optional(
      shape.nonEmptyList(shape.text("a did:key", /^did:key:z[1-9A-HJ-NP-Za-km-z]+$/), "a list of did:key strings"),
    ),
    pds: shape.optional(
      shape.nonEmptyList(shape.text("https://HOST of a PDS", /^https?:\/\/[^/@\sA-Z]+$/), "a list of PDS origins"),
    ),
    minRev: shape.optional(shape.text("a revision of the signer's repo: 13 letters and digits of a TID", TID)),
  },
  "a map with name, validFrom, expiresAt, keys, pds and minRev, or {} for none of them",
);

const requirements = {
  signature: shape.optional(shape.boolean()),
  trustedDIDs: shape.optional(shape.list(did, "a list of DIDs")),
  minSignatures: shape.optional(shape.atLeastOne("a whole number, 1 at least")),
  maxAge: shape.optional(shape.text("a duration such as 90d or 12h", DURATION)),
  maxStaleness: shape.optional(shape.text("a duration such as 24h", DURATION)),
  offlineFor: shape.optional(shape.text("a duration such as 30d", DURATION)),
  repository: shape.optional(
    shape.either(
      shape.oneOf(["match", "any"], "match, any, or a list of repository names"),
      shape.nonEmptyList(shape.text("a repository name"), "a list of repository names"),
      "match, any, or a list of repository names",
    ),
  ),
  owner: shape.optional(shape.oneOf(["match", "any"], "match or any")),
  tag: shape.optional(shape.oneOf(["match", "any"], "match or any")),
  minKeyAge: shape.optional(shape.text("a duration such as 72h", DURATION)),
};
const requirement = shape.keys(requirements, "a map of requirements");

/** Whether a key belongs under `require` of a rule. */
export function isRequirement(key: string): boolean {
  return Object.hasOwn(requirements, key);
}

const rule = shape.keys(
  {
    name: shape.label("a name as text"),
    scope: shape.either(
      scope,
      shape.nonEmptyList(scope, "a list of scopes"),
      "a scope such as atcr.io/*/prod-*, or a list of scopes",
    ),
    action: shape.oneOf(["enforce", "audit", "allow", "deny"], "enforce, audit, allow or deny"),
    require: shape.optional(requirement),
  },
  "a rule: a map with name, scope, action and require",
);

export const POLICY_SHAPE = shape.keys(
  {
    version: shape.oneOf([1, "1.0"], "1.0"),
    // The value is null if every DID below the key is commented out.
    trustedDIDs: shape.optional(
      shape.nullable(
        shape.either(
          shape.list(did, "a list of DIDs"),
          shape.map(did, signer, "a map of DIDs"),
          "a map with DIDs as keys, or a list of DIDs",
        ),
      ),
    ),
    revokedDIDs: shape.optional(shape.list(did, "a list of DIDs, or [] for none")),
    digests: shape.optional(
      shape.keys(
        { deny: shape.optional(digests), allow: shape.optional(digests) },
        "a map with the lists deny and allow",
      ),
    ),
    policies: shape.optional(shape.nonEmptyList(rule, "a list of rules")),
    default: shape.optional(shape.oneOf(["deny", "allow", "audit"], "deny, allow or audit")),
  },
  "a trust policy: a map with version, trustedDIDs and policies",
);

/** Whether a policy has such a key at its top. */
export function isPolicyKey(key: string): boolean {
  return Object.hasOwn(POLICY_SHAPE.pipe[1].entries, key);
}

export type PolicyShape = shape.Infer<typeof POLICY_SHAPE>;
export type SignerShape = shape.Infer<typeof signer>;
export type RuleShape = shape.Infer<typeof rule>;
export type RequirementShape = shape.Infer<typeof requirement>;
