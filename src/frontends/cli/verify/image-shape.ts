import * as shape from "../../../core/policy/shape.ts";
import { did, digest, INSPECTION_SHAPE, time } from "../inspect/inspection-shape.ts";

/** The shape of one image's result as JSON: a part of {@link RESULT_SHAPE}, in result-shape.ts. */
const { keys, list, optional, text } = shape;

export const code = text(
  "a code of the table of codes; for an allow signed, exempt, audited or break_glass; no_policy",
);
const line = (what: string) => shape.whole(`${what}, from 1`, 1);

export const outcome = shape.oneOf(
  ["allow", "deny", "inconclusive", "misconfigured", "internal", "unjudged"],
  "allow, deny, inconclusive, misconfigured, internal or unjudged; only allow allows",
);
export const reason = text("the reason in one line, not shortened; may hold the text of others");
export const place = {
  file: optional(text("the file with the mistake, where one in a file is at fault")),
  line: optional(line("the line of the mistake")),
  column: optional(line("its column")),
};

export const resolved = keys(
  {
    digest: digest("the digest that the tag was resolved to"),
    mediaType: text("as the registry says; may be empty"),
    size: optional(shape.whole("bytes of the manifest or index")),
    by: text("the host that answered: the registry or a mirror"),
    at: time("when it was asked"),
    children: optional(
      list(
        keys(
          {
            digest: digest("the digest of the manifest"),
            mediaType: text("as the index says; may be empty"),
            platform: optional(text("its platform: linux/amd64, linux/arm/v7")),
          },
          "a manifest of the index",
        ),
        "the manifests of an index, if it was read",
      ),
    ),
    unread: optional(text("why the index could not be read")),
  },
  "what a tag was resolved to, once",
);

const documentedSignature = keys(
  {
    did: did("the signer"),
    handle: optional(text("the first handle that the signer's identity claims")),
    signedAt: time("when it was signed, as the signer claims"),
    commitCid: text("the CID of the signed commit"),
    pdsEndpoint: text("the origin of the signer's PDS"),
  },
  "the first signature that counts, where the code is signed",
);

export const signature = keys(
  {
    signer: did("the signer"),
    name: optional(text("what the policy calls the signer")),
    handles: list(text("a handle"), "handles that the signer's identity claims"),
    key: text("the did:key that signed the commit"),
    keySince: optional(time("since when the key is in place, as the directory says; absent for a did:web")),
    pds: text("the origin of the signer's PDS"),
    rev: text("the revision of the repository"),
    commitCid: text("the CID of the signed commit"),
    repository: text("the repository that the signer named"),
    createdAt: time("when it was signed, as the signer claims"),
    checks: list(
      text("pins, key_age, media_type, max_age, repository, owner or tag"),
      "what the signature was compared with beside its own proof; one that is not listed had nothing to compare",
    ),
  },
  "a signature that counts",
);

export const finding = keys(
  {
    signer: optional(did("the signer; absent where it is about the registry")),
    code,
    detail: text("a sentence; may hold the text of others"),
  },
  "a signature or an answer that does not count",
);

export const exchange = keys(
  {
    purpose: text("registry, token server, directory, did:web host, PDS, handle, DNS or cache"),
    method: text("GET, HEAD, POST, or TXT in DNS"),
    url: text("the URL without secrets; of DNS the name"),
    cached: shape.boolean("whether the answer came from the cache"),
    at: time("when it was sent, or the cached answer was fetched"),
    ms: shape.whole("milliseconds until the whole answer was there"),
    status: optional(shape.whole("the HTTP status; absent where there was no answer, for DNS and for the cache")),
    failure: optional(text("why there was no answer")),
    bytes: shape.whole("bytes of the answer"),
  },
  "a request",
);

const signatures = list(signature, "the signatures that counted; empty unless the code is signed");
const notes = list(text("a sentence"), "what was not checked, or not checked now; empty unless the code is signed");
const findings = list(finding, "what did not count, the furthest check first");

/** All that is known of one image. */
export const image = {
  outcome,
  code,
  reason,
  ...place,
  allowed: shape.boolean("whether the outcome is allow: signed or not"),
  verified: shape.boolean(
    "whether a trusted signature was verified: not so if exempt, audited or let through by break-glass",
  ),
  exitStatus: shape.whole("the exit status of this image alone"),
  requested: text("the image as it was written"),
  places: optional(
    list(keys({ file: text("the file"), line: line("the line") }, "a place"), "where files name the image"),
  ),
  image: optional(text("the name in canonical form, with the digest if it was written; where it could be read")),
  digest: optional(digest("the digest that was judged; where it is known")),
  reference: optional(text("name and digest without the tag: what may be pulled; where the digest is known")),
  resolved: optional(resolved),
  signature: optional(documentedSignature),
  error: optional(text("the sentence of the reason, where the image is not allowed")),
  rule: optional(text("what decided: a rule's name, digests.deny, digests.allow, default or --signer")),
  ruleFile: optional(text("the file in which it is written; absent for --signer")),
  ruleLine: optional(line("the line in that file")),
  policy: optional(
    keys(
      {
        path: optional(text("the policy's file; absent without one")),
        sha256: text("SHA-256 of the policy's files, one after the other, in hex", /^[0-9a-f]{64}$/),
        rule: optional(text("as above")),
        line: optional(line("the line of what decided")),
      },
      "the policy, where there was a decision",
    ),
  ),
  cache: optional(
    shape.oneOf(
      ["none", "fresh", "stale", "bundle"],
      "evidence that was not fetched now: none, fresh, stale, or of a bundle",
    ),
  ),
  ms: optional(
    shape.map(
      text("total, or a service"),
      shape.whole("milliseconds"),
      "milliseconds: total, and of each service asked",
    ),
  ),
  requests: optional(shape.map(text("a service"), shape.whole("how many"), "how many requests, of each service asked")),
  signatures,
  notes,
  verifiedAt: optional(time("when the oldest cached evidence was fetched")),
  would: optional(
    keys(
      { outcome: shape.oneOf(["deny", "inconclusive"], "deny or inconclusive"), code },
      "what enforcing the rule would have led to, where the code is audited",
    ),
  ),
  findings,
  advice: list(text("a sentence"), "what to do"),
  signers: optional(
    list(
      keys({ asked: text("what was typed: a DID or a handle"), did: did("its DID") }, "a signer"),
      "what --signer named",
    ),
  ),
  exchanges: optional(list(exchange, "the requests, with --verbose")),
  inspected: optional(INSPECTION_SHAPE),
  signedImages: optional(
    list(
      keys(
        {
          digest: digest("the digest of the image"),
          platform: optional(text("its platform")),
          signers: list(did("a DID"), "trusted signers who signed it"),
        },
        "a signed image",
      ),
      "signed images of an index that no trusted signer has signed; the index is what was judged",
    ),
  ),
};
