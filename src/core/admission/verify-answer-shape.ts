import * as shape from "../policy/shape.ts";

/**
 * The shape of what /v1/verify answers (verify-answer.ts makes it): for the types, the tests and docs/reference/gates.md. The
 * program itself loads none of it.
 */
const { keys, list, optional, text } = shape;

const schema = shape.oneOf(
  ["atcr-verify/answer/1"],
  "names this schema; the number rises when a key is removed, or changes its type or its meaning",
);
const outcome = shape.oneOf(
  ["allow", "deny", "inconclusive", "misconfigured", "internal"],
  "allow, deny, inconclusive, misconfigured or internal; only allow allows",
);

const signer = {
  did: text("the signer", /^did:/),
  handle: optional(text("the first handle that the signer's identity claims")),
  signedAt: text("when it was signed, as the signer claims"),
};

const image = {
  image: text("as it was asked for, printable"),
  digest: optional(text("the digest that was judged", /^sha256:[0-9a-f]{64}$/)),
  pinned: optional(text("the name with tag and digest: what may be run")),
  allowed: shape.boolean("whether the policy allows it"),
  verified: shape.boolean(
    "whether a trusted signature was verified: not so for an image that is exempt, audited, or allowed by break-glass",
  ),
  outcome,
  code: text("a code of the table of codes; for an allow signed, exempt, audited or break_glass"),
  reason: text("the reason in one line; may hold the text of others"),
  rule: optional(text("the rule of an image that is signed or audited")),
  did: optional(text("the first signer whose signature counts", /^did:/)),
  handle: signer.handle,
  signedAt: optional(signer.signedAt),
  signers: list(keys(signer, "a signer"), "signers whose signatures count, 16 at most"),
};

export const ONE_VERIFIED = keys({ schema, ...image }, "the answer about one image");

export const SEVERAL_VERIFIED = keys(
  {
    schema,
    allowed: shape.boolean("whether every image is allowed"),
    verified: shape.boolean("whether a trusted signature was verified for every image"),
    outcome,
    results: list(keys(image, "the answer about one image"), "one for each image, in the order they were asked for"),
  },
  "the answer about several images",
);

export type OneVerified = shape.InferFrozen<typeof ONE_VERIFIED>;
export type SeveralVerified = shape.InferFrozen<typeof SEVERAL_VERIFIED>;
