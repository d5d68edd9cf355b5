import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { select } from "../../../../src/core/policy/select.ts";
import { rejectionOf } from "../../../../src/core/rejection.ts";
import { refuseUntoldTag } from "../../../../src/core/verify/untold-tag.ts";

const DIGEST = `sha256:${"0".repeat(64)}` as Digest;
const policy = parsePolicy(
  `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies:
  - { name: tagged, scope: "atcr.io/alice/tagged", action: enforce, require: { tag: match } }
  - { name: watched, scope: "atcr.io/alice/watched", action: audit, require: { tag: match } }
  - { name: free, scope: "atcr.io/alice/free", action: allow }
  - { name: signed, scope: "atcr.io/alice/**", action: enforce }
default: deny
`,
  "policy.yaml",
);

describe("a gate that is not told the tag", () => {
  it.each([
    ["tagged", "tag.unsupported_here"],
    ["watched", "tag.unsupported_here"],
    ["free", undefined],
    ["app", undefined],
  ])("refuses a rule with tag: match, here %s", (path, code) => {
    const selection = select(policy, parseReference(`atcr.io/alice/${path}`), DIGEST);
    expect(rejectionOf(() => refuseUntoldTag(selection, "nobody tells it"))?.code).toBe(code);
  });
});
