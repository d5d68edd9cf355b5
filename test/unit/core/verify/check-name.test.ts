import { describe, expect, it } from "vitest";
import type { Did, Tid } from "../../../../src/core/atproto/syntax.ts";
import type { Gap, OwnerAnswer, Subject } from "../../../../src/core/evidence/evidence.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { checkName } from "../../../../src/core/verify/check-name.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import type { SignatureFacts, TagFacts } from "../../../../src/core/verify/verdict.ts";
import { claim, DIGEST, didNamed, facts, gap, NOW, rule, subject, trusted } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const [DID, OTHER] = [didNamed("a"), didNamed("b")];
const REV = "3aaaaaaaaaaaa" as Tid;

interface Changes {
  readonly facts?: Partial<SignatureFacts>;
  readonly repository?: string;
  readonly requirement?: Partial<Requirement>;
  readonly subject?: Partial<Subject>;
  readonly owner?: OwnerAnswer;
  readonly gaps?: readonly Gap[];
}

function raw(changes: Changes): () => void {
  const judged = rule([trusted(DID)], changes.requirement);
  const question = {
    ...questionOf(subject(changes.subject), judged, ["atcr.io", "localhost:5000"], NOW),
    gaps: changes.gaps ?? [],
    now: NOW,
    ...(changes.owner && { owner: changes.owner }),
  };
  const about = changes.repository === undefined ? {} : { repository: changes.repository };
  return () => checkName(facts(DID, { claim: claim(about), ...changes.facts }), question);
}

const check = (changes: Changes) => codeOf(raw(changes));

const named = (host: string, path: string, repository: string, rules?: Requirement["repository"]) =>
  check({
    subject: { name: { host, path } },
    repository,
    requirement: { owner: "any", ...(rules === undefined ? {} : { repository: rules }) },
  });

describe("checkName on the repository", () => {
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

describe("checkName on the owner", () => {
  const HERS = { name: { host: "atcr.io", path: "alice.test/app" } };
  const leadsTo = (did?: Did, handle = "alice.test"): OwnerAnswer => ({
    handle,
    ...(did && { did }),
    source: "dns:_atproto.alice.test",
    fetchedAt: NOW,
  });
  const claiming = (...handles: readonly string[]) => ({ facts: { handles }, subject: HERS, owner: leadsTo(DID) });
  const [OK, MISMATCH] = ["none", "image.owner_mismatch"];

  it("asks on the hosts of ATCR unless the rule says any, and elsewhere only where it says match", () => {
    const elsewhere = { name: { host: "registry.example", path: "alice.test/app" } };
    const on = (about: Partial<Subject>, requirement: Partial<Requirement>) =>
      check({ subject: about, requirement, facts: { handles: ["other.test"] }, owner: leadsTo(DID) });
    expect(on(HERS, {})).toBe(MISMATCH);
    expect(on(HERS, { owner: "match" })).toBe(MISMATCH);
    expect(on(HERS, { owner: "any" })).toBe(OK);
    expect(on(elsewhere, {})).toBe(OK);
    expect(on(elsewhere, { owner: "any" })).toBe(OK);
    // Names there have no handle: nothing could match.
    expect(check({ ...claiming("alice.test"), subject: elsewhere, requirement: { owner: "match" } })).toBe(MISMATCH);
    expect(check(claiming("alice.test"))).toBe(OK);
  });

  it.each<[string, readonly string[], string]>([
    ["the one", ["alice.test"], OK],
    ["it before others", ["alice.test", "second.test"], OK],
    ["it behind another, which alone counts", ["first.test", "alice.test"], MISMATCH],
    ["it behind what is no handle", ["", "alice", "-.test", "@first.test", "alice.test/app", "alice.test"], OK],
    ["it in upper case", ["Alice.TEST"], OK],
    ["none", [], MISMATCH],
    ["another", ["alice.tests"], MISMATCH],
    ["one below it", ["x.alice.test"], MISMATCH],
    ["one above it", ["test"], MISMATCH],
    ["it with a path", ["alice.test/app"], MISMATCH],
    ["it with a letter that only looks like one", ["al\u0131ce.test"], MISMATCH],
    ["what is none, twice", ["", "-"], MISMATCH],
  ])("wants the identity to claim the handle: %s", (_, handles, expected) => {
    expect(check(claiming(...handles))).toBe(expected);
  });

  it.each<[string, OwnerAnswer, string]>([
    ["the signer", leadsTo(DID), OK],
    ["somebody else", leadsTo(OTHER), MISMATCH],
    ["nobody", leadsTo(), MISMATCH],
    ["the signer, asked about another handle", leadsTo(DID, "other.test"), "handle.unreachable"],
    ["somebody else, asked about another handle", leadsTo(OTHER, "other.test"), "handle.unreachable"],
  ])("wants the handle to lead back: to %s", (_, owner, expected) => {
    expect(check({ ...claiming("alice.test"), owner })).toBe(expected);
  });

  it.each(["app", "alice/app", "alice-/app", "127.0.0.1/app", "alice.test-/app"])(
    "wants a handle in the name: atcr.io/%s",
    (path) => {
      const about = { name: { host: "atcr.io", path } };
      const requirement = { repository: "any" } as const;
      const [handle = ""] = path.split("/");
      const given = { subject: about, requirement, facts: { handles: [handle] }, owner: leadsTo(DID, handle) };
      expect(check(given)).toBe(MISMATCH);
      expect(raw(given)).toThrow("contains no handle");
    },
  );

  it("cannot tell where the handle's answer is missing, and says by what", () => {
    const { owner: _, ...unanswered } = claiming("alice.test");
    const missing = { ...gap("handle.bad_response"), service: "handle" } as const;
    expect(check(unanswered)).toBe("handle.unreachable");
    expect(check({ ...unanswered, gaps: [gap("registry.unreachable"), gap("pds.unreachable", DID), missing] })).toBe(
      "handle.bad_response",
    );
    expect(check({ ...unanswered, gaps: [gap("registry.unreachable")] })).toBe("handle.unreachable");
    // An identity that does not claim the handle is refused, whatever the answer would be.
    expect(check({ ...unanswered, gaps: [missing], facts: { handles: [] } })).toBe(MISMATCH);
  });

  it("says who claims what, and where the handle leads", () => {
    expect(raw(claiming("a.test", "b.test"))).toThrow(`${DID} claims a.test, but the image's name has alice.test`);
    expect(raw(claiming())).toThrow(`${DID} claims no handle`);
    const leading = (owner: OwnerAnswer) => raw({ ...claiming("alice.test"), owner });
    expect(leading(leadsTo())).toThrow("resolves to no DID, not to");
    expect(leading(leadsTo(OTHER))).toThrow(`resolves to ${OTHER}, not to ${DID} (dns:_atproto.alice.test)`);
  });
});

describe("checkName on the tag", () => {
  const meaning = (repository: string, tag: string): TagFacts => ({
    address: "io.atcr.tag/x",
    rev: REV,
    claim: { repository, tag },
  });
  const tagged = (tag: TagFacts | undefined, changes: Changes = {}) =>
    check({
      requirement: { tag: "match", owner: "any" },
      subject: { tag: "v1" },
      ...changes,
      facts: tag === undefined ? {} : { tag },
    });

  it("does not ask where the rule says any", () => {
    for (const about of [{}, { tag: "v1" }])
      expect(tagged(meaning("x", "y"), { requirement: {}, subject: about })).toBe("none");
  });

  it.each<[string, TagFacts | undefined, string]>([
    ["maps it to the image", meaning("app", "v1"), "none"],
    ["is of another tag", meaning("app", "v2"), "tag.mismatch"],
    ["is of a tag in upper case", meaning("app", "V1"), "tag.mismatch"],
    ["is of another repository", meaning("other", "v1"), "tag.mismatch"],
    ["is not there", { address: "io.atcr.tag/x", rev: REV, claim: undefined }, "tag.absent"],
    ["says something else", { code: "tag.mismatch", detail: "" }, "tag.mismatch"],
    ["is not proven", { code: "commit.bad_signature", detail: "" }, "commit.bad_signature"],
    ["cannot be read", { code: "mst.incomplete_proof", detail: "" }, "mst.incomplete_proof"],
    ["was not had", undefined, "pds.unreachable"],
  ])("where the record %s: %#", (_, tag, expected) => {
    expect(tagged(tag)).toBe(expected);
  });

  it("says why an answer is missing, and where none was asked for that this is so", () => {
    const missing = (...gaps: readonly Gap[]) => tagged(undefined, { gaps });
    expect(missing(gap("pds.bad_response", DID))).toBe("pds.bad_response");
    expect(missing(gap("net.deadline", DID, "pds"))).toBe("net.deadline");
    const others = [
      gap("pds.bad_response", OTHER),
      gap("identity.bad_response", DID, "identity"),
      gap("registry.unreachable"),
    ];
    expect(missing(...others)).toBe("pds.unreachable");
    const about = { requirement: { tag: "match", owner: "any" }, subject: { tag: "v1" } } as const;
    expect(raw({ ...about, gaps: others })).toThrow("has no record of the tag");
  });

  it("takes the repository from the name on the hosts of ATCR, and from the record elsewhere", () => {
    const path = "alice.test/team/app";
    const requirement = { tag: "match", owner: "any", repository: "any" } as const;
    const at = (host: string, repository: string) =>
      tagged(meaning(repository, "v1"), { requirement, subject: { name: { host, path }, tag: "v1" } });
    expect(at("atcr.io", "team/app")).toBe("none");
    expect(at("atcr.io", "app")).toBe("tag.mismatch");
    expect(at("registry.example", "app")).toBe("none");
    expect(at("registry.example", "team/app")).toBe("tag.mismatch");
  });

  it("tells apart what shares a record key", () => {
    const name = { host: "atcr.io", path: "alice.test/a_b" };
    const changes = {
      subject: { name, tag: "c" },
      requirement: { tag: "match", owner: "any", repository: "any" },
    } as const;
    expect(tagged(meaning("a_b", "c"), changes)).toBe("none");
    expect(tagged(meaning("a", "b_c"), changes)).toBe("tag.mismatch");
  });

  it("asks for none where the name has a digest, and refuses one that has neither", () => {
    const name = { host: "registry.example", path: "team/app" };
    expect(tagged(undefined, { subject: { name: { ...name, digest: DIGEST } } })).toBe("none");
    expect(tagged(meaning("app", "v1"), { subject: { name } })).toBe("tag.absent");
    // A tag beside the digest is looked at where the pull is by that tag.
    expect(tagged(undefined, { subject: { name: { ...name, digest: DIGEST }, tag: "v1" } })).toBe("pds.unreachable");
  });
});

describe("checkName, where one says no and of another nothing is known", () => {
  const OWNER = { ...gap("handle.unreachable"), service: "handle" } as const;
  const about = { name: { host: "atcr.io", path: "alice.test/app" }, tag: "v1" };
  const owner: OwnerAnswer = { handle: "alice.test", did: DID, source: "dns:_atproto.alice.test", fetchedAt: NOW };
  const absent: TagFacts = { address: "io.atcr.tag/x", rev: REV, claim: undefined };
  const unread: TagFacts = { code: "mst.incomplete_proof", detail: "" };
  const outcome = (tag: TagFacts, { claims = "alice.test", ...changes }: Changes & { claims?: string }) =>
    check({ subject: about, requirement: { tag: "match" }, facts: { handles: [claims], tag }, ...changes });

  it("is no", () => {
    expect(outcome(absent, { gaps: [OWNER] })).toBe("tag.absent");
    expect(outcome(unread, { owner: { ...owner, did: OTHER } })).toBe("image.owner_mismatch");
    expect(outcome(unread, { owner, repository: "other" })).toBe("record.wrong_repository");
  });

  it("is the first of several, of one kind", () => {
    expect(outcome(absent, { claims: "other.test", repository: "other" })).toBe("record.wrong_repository");
    expect(outcome(absent, { claims: "other.test" })).toBe("image.owner_mismatch");
    expect(outcome(unread, { gaps: [OWNER] })).toBe("handle.unreachable");
    expect(outcome(unread, { owner })).toBe("mst.incomplete_proof");
  });
});
