import { describe, expect, it } from "vitest";
import type { Claim } from "../../../../src/core/evidence/claim.ts";
import type { Subject } from "../../../../src/core/evidence/evidence.ts";
import type { Requirement, TrustedSigner } from "../../../../src/core/policy/policy.ts";
import { checkFacts } from "../../../../src/core/verify/check-facts.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { NO_HISTORY, type SignerHistories } from "../../../../src/core/verify/signer-history.ts";
import type { SignatureFacts } from "../../../../src/core/verify/verdict.ts";
import {
  claim,
  didNamed,
  digestOf,
  facts,
  INDEX,
  MANIFEST,
  NOW,
  rule,
  SIGNED,
  subject,
  trusted,
} from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const DID = didNamed("a");
const MINUTE = 60_000;

interface Changes {
  readonly facts?: Partial<SignatureFacts>;
  readonly claim?: Partial<Claim>;
  readonly signer?: Partial<TrustedSigner>;
  readonly requirement?: Partial<Requirement>;
  readonly subject?: Partial<Subject>;
  readonly memory?: SignerHistories;
  /** Nothing is known of since when the key is in place. */
  readonly undated?: boolean;
}

function raw(changes: Changes) {
  const signer = trusted(DID, changes.signer);
  const about = subject(changes.subject);
  const question = {
    ...questionOf(about, rule([signer], changes.requirement), ["atcr.io", "localhost:5000"], NOW),
    gaps: [],
    now: NOW,
    ...(changes.memory && { memory: changes.memory }),
  };
  const given = facts(DID, { claim: claim(changes.claim), ...changes.facts });
  const { keySince: _, ...undated } = given;
  return () => checkFacts(changes.undated ? undated : given, signer, question);
}

const check = (changes: Changes = {}) => codeOf(raw(changes));
const done = (changes: Changes = {}) => raw(changes)();

describe("checkFacts", () => {
  it("has nothing against facts that fit", () => {
    expect(check()).toBe("none");
  });

  it("looks at the name as well", () => {
    expect(check({ claim: { repository: "other" } })).toBe("record.wrong_repository");
  });

  it("wants facts about the digest that is asked for", () => {
    expect(check({ facts: { digest: digestOf("another image") } })).toBe("record.digest_mismatch");
  });

  it("wants one of the pinned keys, if any are pinned", () => {
    const key = facts(DID).key;
    expect(check({ signer: { keys: ["did:key:other"] } })).toBe("identity.key_not_pinned");
    expect(check({ signer: { keys: ["did:key:other", key] } })).toBe("none");
    expect(check({ signer: { keys: [`${key}x`] } })).toBe("identity.key_not_pinned");
  });

  it("wants one of the pinned PDSes, if any are pinned", () => {
    expect(check({ signer: { pds: ["https://other.example"] } })).toBe("identity.pds_not_pinned");
    expect(check({ signer: { pds: ["https://other.example", "https://pds.example"] } })).toBe("none");
    expect(check({ signer: { pds: ["http://pds.example"] } })).toBe("identity.pds_not_pinned");
  });
});

describe("checkFacts tells what it compared", () => {
  const plain = { subject: { mediaType: "application/octet-stream" } };
  const anyName = { repository: "any", owner: "any" } as const;

  it("and nothing else", () => {
    expect(done({ ...plain, requirement: anyName })).toEqual([]);
    expect(done({ requirement: anyName })).toEqual(["media_type"]);
    expect(done({ ...plain, requirement: { ...anyName, repository: "match" } })).toEqual(["repository"]);
    expect(done({ ...plain, requirement: { ...anyName, repository: ["app"] }, claim: { repository: "app" } })).toEqual([
      "repository",
    ]);
    expect(done({ ...plain, requirement: { ...anyName, maxAge: 1e12 } })).toEqual(["max_age"]);
    expect(done({ ...plain, requirement: { ...anyName, minKeyAge: 1 } })).toEqual(["key_age"]);
    expect(done({ ...plain, requirement: anyName, signer: { pds: ["https://pds.example"] } })).toEqual(["pins"]);
  });

  it("no key age where a person vouched for the key", () => {
    const signer = { keys: [facts(DID).key] };
    expect(done({ ...plain, requirement: { ...anyName, minKeyAge: 1 }, signer })).toEqual(["pins"]);
  });
});

describe("checkFacts on the type and size of the manifest", () => {
  it.each([
    MANIFEST,
    INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
  ])("wants the record to agree with the registry's %s", (mediaType) => {
    expect(check({ subject: { mediaType }, claim: { mediaType } })).toBe("none");
    expect(check({ subject: { mediaType }, claim: { mediaType: "text/plain" } })).toBe("record.media_type_mismatch");
  });

  it("does not ask where the caller knows no type, or none that says anything", () => {
    const { mediaType: _, ...untyped } = subject();
    const given = facts(DID, { claim: claim({ mediaType: INDEX }) });
    const question = { ...questionOf(untyped, rule([trusted(DID)]), [], NOW), gaps: [], now: NOW };
    expect(codeOf(() => checkFacts(given, trusted(DID), question))).toBe("none");
    expect(check({ subject: { mediaType: "application/octet-stream" }, claim: { mediaType: INDEX } })).toBe("none");
  });

  it.each([
    [MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", INDEX],
    [INDEX, "application/vnd.docker.distribution.manifest.list.v2+json", MANIFEST],
  ])("takes Docker's name for OCI's, and no manifest for an index: %s, %s", (oci, docker, otherKind) => {
    for (const asked of [oci, docker]) {
      for (const recorded of [oci, docker]) {
        expect(check({ subject: { mediaType: asked }, claim: { mediaType: recorded } })).toBe("none");
      }
      expect(check({ subject: { mediaType: asked }, claim: { mediaType: otherKind } })).toBe(
        "record.media_type_mismatch",
      );
      expect(check({ subject: { mediaType: otherKind }, claim: { mediaType: asked } })).toBe(
        "record.media_type_mismatch",
      );
    }
  });

  it("wants the copy to have the manifest's size, where both are known", () => {
    expect(check({ subject: { size: 512 }, claim: { blobSize: 513 } })).toBe("record.blob_mismatch");
    expect(check({ subject: { size: 512 }, claim: { blobSize: 512 } })).toBe("none");
    expect(check({ subject: { size: 512 } })).toBe("none");
    expect(check({ claim: { blobSize: 513 } })).toBe("none");
    expect(check({ subject: { size: 0 }, claim: { blobSize: 1 } })).toBe("record.blob_mismatch");
  });
});

describe("checkFacts on time", () => {
  it("lets the writer's clock be five minutes ahead, not more", () => {
    expect(check({ claim: { createdAt: NOW + 5 * MINUTE } })).toBe("none");
    expect(check({ claim: { createdAt: NOW + 5 * MINUTE + 1 } })).toBe("record.from_future");
  });

  it("wants a record not older than the rule's maxAge, if it has one", () => {
    const maxAge = NOW - SIGNED;
    expect(check({ claim: { createdAt: 0 } })).toBe("none");
    expect(check({ requirement: { maxAge } })).toBe("none");
    expect(check({ requirement: { maxAge: maxAge - 1 } })).toBe("record.too_old");
  });

  it("lets the repo's clock be five minutes ahead, not more", () => {
    expect(check({ facts: { revTime: NOW + 5 * MINUTE } })).toBe("none");
    expect(check({ facts: { revTime: NOW + 5 * MINUTE + 1 } })).toBe("commit.from_future");
  });
});

describe("checkFacts on the age of the key", () => {
  const HOUR = 60 * MINUTE;
  const { key } = facts(DID);
  const seen = (ago: number): SignerHistories => new Map([[DID, { ...NO_HISTORY, keys: new Map([[key, NOW - ago]]) }]]);
  const nobodySeen: SignerHistories = new Map();
  const strangerSeen: SignerHistories = new Map([[didNamed("b"), { ...NO_HISTORY, keys: new Map([[key, 0]]) }]]);
  const otherKeySeen: SignerHistories = new Map([[DID, { ...NO_HISTORY, keys: new Map([["did:key:other", 0]]) }]]);
  const [OK, YOUNG] = ["none", "identity.key_too_young"];

  it.each<[string, number | undefined, SignerHistories | undefined, string]>([
    ["logged and seen long enough ago", HOUR, seen(HOUR), OK],
    ["logged long ago, seen a moment too late", 9 * HOUR, seen(HOUR - 1), YOUNG],
    ["seen long ago, logged a moment too late", HOUR - 1, seen(9 * HOUR), YOUNG],
    ["logged long ago, of a signer never seen", 9 * HOUR, nobodySeen, YOUNG],
    ["logged long ago, seen of another signer alone", 9 * HOUR, strangerSeen, YOUNG],
    ["logged long ago, where another key was seen", 9 * HOUR, otherKeySeen, YOUNG],
    ["logged long ago, judged without a memory", HOUR, undefined, OK],
    ["logged a moment too late, judged without a memory", HOUR - 1, undefined, YOUNG],
    ["without a date, seen long ago", undefined, seen(HOUR), OK],
    ["without a date, seen a moment too late", undefined, seen(HOUR - 1), YOUNG],
    ["without a date, never seen", undefined, nobodySeen, YOUNG],
    ["without a date, judged without a memory", undefined, undefined, YOUNG],
    ["logged in the future", -HOUR, seen(9 * HOUR), YOUNG],
  ])("wants one that is old enough: %s", (_, logged, memory, expected) => {
    const given = logged === undefined ? { undated: true } : { facts: { keySince: NOW - logged } };
    const judged = (requirement: Partial<Requirement>, signer: Partial<TrustedSigner> = {}) =>
      check({ ...given, requirement, signer, ...(memory && { memory }) });
    expect(judged({ minKeyAge: HOUR })).toBe(expected);
    expect(judged({})).toBe(OK);
    // One that a person has vouched for may be of any age.
    expect(judged({ minKeyAge: HOUR }, { keys: [key] })).toBe(OK);
    expect(judged({ minKeyAge: HOUR }, { keys: ["did:key:other"] })).toBe("identity.key_not_pinned");
  });

  it("says since when it counts, and by whose word", () => {
    const given = { facts: { keySince: NOW - 2 * HOUR }, requirement: { minKeyAge: 3 * HOUR } };
    const until = "the rule accepts it from";
    expect(raw(given)).toThrow(`since 2025-06-01T10:00:00Z, according to its log; ${until} 2025-06-01T13:00:00Z`);
    expect(raw({ ...given, memory: seen(HOUR) })).toThrow(
      `11:00:00Z, when this node first saw it; ${until} 2025-06-01T14`,
    );
    const fresh = new Map([[DID, NO_HISTORY]]);
    expect(raw({ ...given, memory: fresh })).toThrow(`12:00:00Z, first seen in this pull; ${until} 2025-06-01T15`);
    // Without a memory the time would be another at each pull.
    const unusable = new Map([[DID, { ...NO_HISTORY, unusable: "why not" }]]);
    expect(raw({ ...given, memory: unusable })).toThrow("the signer history cannot be used: why not");
    expect(check({ ...given, memory: unusable })).toBe("identity.key_too_young");
    const young = { ...given, facts: { keySince: NOW } };
    expect(raw({ ...young, memory: new Map() })).toThrow("12:00:00Z, according to its log");
  });
});
