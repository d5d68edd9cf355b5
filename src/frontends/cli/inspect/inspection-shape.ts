import { DID } from "../../../core/atproto/syntax.ts";
import { DATE_TIME } from "../../../core/encoding/time.ts";
import { DIGEST } from "../../../core/oci/digest.ts";
import * as shape from "../../../core/policy/shape.ts";

/**
 * The shape of an inspection as JSON (inspection-json.ts makes it): for the types, the tests and the JSON Schema. The words
 * are the descriptions in the schema.
 */
const { keys, list, optional, text } = shape;

/** Shapes of values that other JSON has, too. */
export const did = (what: string) => text(what, DID);
export const digest = (what: string) => text(what, DIGEST);
export const time = (what: string) => text(`${what}; RFC 3339, in UTC`, DATE_TIME);
const problem = (what: string) =>
  keys({ code: text("a code of the table of codes"), detail: text("a sentence; may hold the text of others") }, what);

const owner = (what: string) =>
  keys(
    {
      handle: text("the handle"),
      leadsTo: optional(shape.nullable(text("the DID that the handle resolves to; null where it resolves to none"))),
      source: optional(text("where that was found")),
      missing: optional(text("why the handle could not be resolved; then leadsTo and source are absent")),
    },
    what,
  );

const record = {
  path: text("collection and record key"),
  isPresent: shape.nullable(shape.boolean("whether the record exists; null where the proof failed")),
  cid: optional(text("the CID of the record, if it exists")),
  commit: optional(
    keys(
      {
        cid: text("the CID of the signed commit"),
        rev: text("the revision of the repository"),
        revTime: time("the time in the revision, chosen by the signer"),
        key: text("the did:key that signed the commit"),
      },
      "the signed commit that the proof ends at",
    ),
  ),
  nodes: optional(
    list(
      keys(
        {
          cid: text("the CID of the node"),
          height: shape.whole("its height in the tree; 0 is a leaf"),
          entries: shape.whole("how many keys it has"),
        },
        "a node of the tree",
      ),
      "the path through the tree, from the root",
    ),
  ),
  objection: optional(problem("why the record would not count at a pull, whatever the policy")),
};

const fields = (what: string) =>
  keys(
    {
      fields: list(
        keys({ name: text("the field"), value: text("its value as text, cut if long") }, "a field of the record"),
        "the fields as the signer wrote them; at most 32",
      ),
      more: optional(shape.whole("how many fields are not listed", 1)),
    },
    what,
  );

const proven = keys(
  {
    identity: optional(
      keys(
        {
          how: list(text("a sentence"), "how the identity was verified"),
          key: optional(text("the current did:key of the repository; absent for a did:web, which proves none")),
          pds: optional(text("the origin of the PDS; absent for a did:web")),
        },
        "what is proven of the identity",
      ),
    ),
    record: optional(keys(record, "the record of the digest")),
    tag: optional(
      keys({ ...record, names: optional(digest("the digest that the tag names")) }, "the record of the tag"),
    ),
  },
  "what hashes and signatures prove",
);

const claimed = keys(
  {
    source: optional(text("the URL that the identity came from")),
    fetchedAt: optional(time("when it was fetched")),
    key: optional(text("the current did:key of a did:web")),
    pds: optional(text("the origin of the PDS of a did:web")),
    handles: list(text("a handle"), "handles that the identity claims"),
    handle: optional(
      keys(
        {
          handle: text("the handle"),
          leadsTo: optional(shape.nullable(text("the DID that it resolves to; null for none"))),
          source: optional(text("where that was found")),
          bothWays: optional(shape.boolean("whether the handle resolves to the DID, and the DID claims the handle")),
          missing: optional(text("why it could not be resolved")),
        },
        "the handle, looked up",
      ),
    ),
    keys: optional(
      list(
        keys(
          {
            key: shape.nullable(text("the did:key; null for a time without one")),
            since: time("since when"),
            until: optional(time("until when; absent for the current key")),
          },
          "a period of the key history",
        ),
        "keys that have signed the repository, the oldest first, dated by the directory",
      ),
    ),
    undoneKeys: optional(list(text("a did:key"), "keys that a more powerful rotation key has undone")),
    record: optional(fields("the record of the digest")),
    tag: optional(fields("the record of the tag")),
  },
  "what the registry, the directory, DNS and the signer say, and nothing proves",
);

const signer = keys(
  {
    did: did("the signer's DID"),
    title: text("the DID, and the handle with whether it is confirmed"),
    namedBy: list(
      keys(
        {
          kind: shape.oneOf(["owner", "given", "referrer"], "owner, given or referrer"),
          handle: optional(text("of an owner: the handle in the image's name")),
          text: optional(text("of one given by --signer: what was typed")),
          url: optional(text("of a referrer: where the registry lists it")),
          note: optional(text("of a referrer: what is unusual about it")),
        },
        "a reason to look at this signer",
      ),
      "why this signer was looked at",
    ),
    state: shape.oneOf(
      ["signed", "unusable", "not signed", "unknown"],
      "signed: a well-formed record is proven; unusable: a pull would reject it; not signed: absence is proven; unknown",
    ),
    proven,
    claimed,
    problems: list(text("a code and a sentence"), "why the state is not signed"),
  },
  "a claimed signer",
);

export const INSPECTION_SHAPE = keys(
  {
    judged: shape.always(false, "always false: an inspection is no verdict"),
    image: text("the image's name in canonical form"),
    at: time("when the inspection ended"),
    digest: optional(digest("the digest that was looked at")),
    tag: optional(text("the tag that was looked at")),
    resolved: optional(
      keys(
        { by: text("the host that answered"), at: time("when it was asked"), mediaType: text("as the host says") },
        "how the registry resolved the tag",
      ),
    ),
    unresolved: optional(problem("why the registry did not resolve the tag")),
    owner: optional(owner("the owner of the handle in the image's name")),
    unknownHandles: optional(list(owner("a handle"), "handles given by --signer that lead to nobody")),
    signers: list(signer, "the signers that were looked at"),
    notAsked: list(did("a DID"), "signers that the registry names and that were not looked at"),
    gaps: list(problem("an answer that is missing"), "why the registry's list of referrers may be incomplete"),
  },
  "what inspect finds",
);

/** As inspection-json.ts returns it. */
export type InspectionKeys = shape.InferFrozen<typeof INSPECTION_SHAPE>;
