import { describe, expect, it } from "vitest";
import type { Requirement, TrustedSigner } from "../../../src/policy/policy.ts";
import { checkFacts } from "../../../src/verify/check-facts.ts";
import type { Subject } from "../../../src/verify/evidence.ts";
import type { Claim, SignatureFacts } from "../../../src/verify/verdict.ts";
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
} from "../../support/evidence.ts";
import { codeOf } from "../../support/rejection.ts";

const DID = didNamed("a");
const MINUTE = 60_000;

interface Changes {
  readonly facts?: Partial<SignatureFacts>;
  readonly claim?: Partial<Claim>;
  readonly signer?: Partial<TrustedSigner>;
  readonly requirement?: Partial<Requirement>;
  readonly subject?: Partial<Subject>;
}

function check(changes: Changes = {}) {
  const signer = trusted(DID, changes.signer);
  const question = {
    subject: subject(changes.subject),
    rule: rule([signer], changes.requirement),
    atcrHosts: ["atcr.io", "localhost:5000"],
    gaps: [],
    now: NOW,
  };
  const given = facts(DID, { claim: claim(changes.claim), ...changes.facts });
  return codeOf(() => checkFacts(given, signer, question));
}

const named = (host: string, path: string, repository: string, rules?: Requirement["repository"]) =>
  check({
    subject: { name: { host, path } },
    claim: { repository },
    requirement: { owner: "any", ...(rules === undefined ? {} : { repository: rules }) },
  });

describe("checkFacts", () => {
  it("has nothing against facts that fit", () => {
    expect(check()).toBe("none");
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
    const question = { subject: untyped, rule: rule([trusted(DID)]), atcrHosts: [], gaps: [], now: NOW };
    expect(codeOf(() => checkFacts(given, trusted(DID), question))).toBe("none");
    expect(check({ subject: { mediaType: "application/octet-stream" }, claim: { mediaType: INDEX } })).toBe("none");
  });

  it("wants the copy to have the manifest's size, where both are known", () => {
    expect(check({ subject: { size: 512 }, claim: { blobSize: 513 } })).toBe("record.blob_mismatch");
    expect(check({ subject: { size: 512 }, claim: { blobSize: 512 } })).toBe("none");
    expect(check({ subject: { size: 512 } })).toBe("none");
    expect(check({ claim: { blobSize: 513 } })).toBe("none");
    expect(check({ subject: { size: 0 }, claim: { blobSize: 1 } })).toBe("record.blob_mismatch");
  });
});

describe("checkFacts on the repository", () => {
  it("wants all behind the handle on the hosts of ATCR", () => {
    expect(named("atcr.io", "alice.test/app", "app")).toBe("none");
    expect(named("localhost:5000", "alice.test/app", "app")).toBe("none");
    expect(named("atcr.io", "alice.test/team/app", "team/app")).toBe("none");
    expect(named("atcr.io", "alice.test/team/app", "app")).toBe("record.wrong_repository");
    expect(named("atcr.io", "alice.test/app", "alice.test/app")).toBe("record.wrong_repository");
    expect(named("atcr.io", "alice.test/app", "ap")).toBe("record.wrong_repository");
    expect(named("atcr.io", "app", "app")).toBe("record.wrong_repository");
  });

  it("wants the path or its end elsewhere, whole components only", () => {
    expect(named("registry.example", "app", "app")).toBe("none");
    expect(named("registry.example", "mirror/alice.test/app", "app")).toBe("none");
    expect(named("registry.example", "mirror/team/app", "team/app")).toBe("none");
    expect(named("registry.example", "mirror/my-app", "app")).toBe("record.wrong_repository");
    expect(named("registry.example", "app/other", "app")).toBe("record.wrong_repository");
    expect(named("atcr.io:444", "alice.test/team/app", "app")).toBe("none");
  });

  it("wants one of the names that the rule lists, wherever the image lies", () => {
    expect(named("atcr.io", "alice.test/mirror", "app", ["tool", "app"])).toBe("none");
    expect(named("atcr.io", "alice.test/app", "app", ["tool"])).toBe("record.wrong_repository");
    expect(named("registry.example", "app", "app", ["my-app"])).toBe("record.wrong_repository");
  });

  it("asks for none where the rule says any", () => {
    expect(named("atcr.io", "alice.test/app", "other", "any")).toBe("none");
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
