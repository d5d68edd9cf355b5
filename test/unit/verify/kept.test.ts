import { describe, expect, it } from "vitest";
import type { Tid } from "../../../src/atproto/syntax.ts";
import type { RejectionCode } from "../../../src/rejection.ts";
import type { Gap } from "../../../src/verify/evidence.ts";
import { isNewestKey, isSilent, keptFor, meansThis, refuted, type Seen, verifiedAt } from "../../../src/verify/kept.ts";
import { NOTHING_REMEMBERED, type SignerMemory } from "../../../src/verify/memory.ts";
import type { Attempt } from "../../../src/verify/verdict.ts";
import { DIGEST, didNamed, facts, fetched, found, gap, subject, NOW as TODAY } from "../../support/evidence.ts";
import { tid } from "../../support/signed-repo.ts";

const [A, B] = [didNamed("a"), didNamed("b")];
const REV = tid(TODAY * 1000) as Tid;
const MINUTE = 60_000;
const knowing = (keys: Record<string, number>): SignerMemory => ({
  ...NOTHING_REMEMBERED,
  keys: new Map(Object.entries(keys)),
});

describe("isSilent", () => {
  const silent = (gaps: readonly Gap[], attempts: readonly Attempt[] = []) => isSilent(A, { attempts, gaps });

  it("is a signer whose every answer is missing because nobody answered", () => {
    expect(silent([gap("pds.unreachable", A)])).toBe(true);
    expect(silent([gap("pds.unreachable", A), gap("net.deadline", A, "identity")])).toBe(true);
    expect(silent([gap("pds.unreachable", A), gap("pds.bad_response", A)])).toBe(false);
    expect(silent([gap("identity.unknown_did", A)])).toBe(false);
    expect(silent([{ ...gap("pds.unreachable", A), answered: true }])).toBe(false);
  });

  it("is nobody of whom anything was heard, good or bad", () => {
    const gaps = [gap("pds.unreachable", A)];
    for (const heard of [{ facts: facts(A) }, found(A, "record.absent"), found(A, "car.malformed")]) {
      expect(silent(gaps, [heard])).toBe(false);
    }
    expect(silent(gaps, [{ facts: facts(B) }, found(B, "record.absent")])).toBe(true);
  });

  it("is nobody who was not asked, whatever the registry's list would have led to", () => {
    expect(silent([])).toBe(false);
    expect(silent([gap("pds.unreachable", B)])).toBe(false);
    expect(silent([gap("registry.unreachable")])).toBe(false);
    expect(silent([{ service: "handle", code: "handle.unreachable", detail: "" }])).toBe(false);
  });

  it("is no less one because of the registry's answer, where one was asked directly", () => {
    expect(silent([gap("pds.unreachable", A), gap("registry.bad_response")])).toBe(true);
  });
});

describe("verifiedAt", () => {
  const NOW = 1_000_000_000;
  const at = (fetchedAt: number) => ({ ...fetched("", new Uint8Array()), fetchedAt });
  const evidence = (...[identity, record, tag, owner]: [number, number, number, number]) => ({
    pointers: [],
    gaps: [],
    signatures: [{ signer: A, identity: at(identity), record: at(record), tag: at(tag) }],
    owner: { handle: "alice.test", source: "", fetchedAt: owner },
  });

  it("is the time of the oldest part", () => {
    expect(verifiedAt(evidence(1, 2, 3, 4), NOW)).toBe(1);
    expect(verifiedAt(evidence(2, 1, 3, 4), NOW)).toBe(1);
    expect(verifiedAt(evidence(3, 2, 1, 4), NOW)).toBe(1);
    expect(verifiedAt(evidence(4, 3, 2, 1), NOW)).toBe(1);
    const { owner: _, ...ownerless } = evidence(4, 3, 2, 1);
    expect(verifiedAt(ownerless, NOW)).toBe(2);
  });

  it("is none where a part is more than 5 minutes ahead", () => {
    const ahead = NOW + 5 * MINUTE;
    expect(verifiedAt(evidence(1, 2, 3, ahead), NOW)).toBe(1);
    for (const place of [0, 1, 2, 3]) {
      const times = [1, 2, 3, 4].with(place, ahead + 1) as [number, number, number, number];
      expect(verifiedAt(evidence(...times), NOW)).toBeUndefined();
    }
  });
});

describe("keptFor", () => {
  it("is host, path and tag, whatever the image's digest", () => {
    expect(keptFor(subject())).toBe("registry.example/team/app");
    expect(keptFor(subject({ tag: "v1" }))).toBe("registry.example/team/app:v1");
    const name = { host: "registry.example:444", path: "team/app", tag: "v2", digest: DIGEST };
    expect(keptFor(subject({ name }))).toBe("registry.example:444/team/app");
  });
});

describe("refuted", () => {
  const KNOWN = knowing({ K1: 1 });
  const TWO = { ...knowing({ K1: 1, K2: 2 }), operations: new Set(["one"]) };
  interface Shown {
    readonly key?: string;
    readonly code?: RejectionCode;
    /** Whether a commit was proven. */
    readonly proven?: boolean;
    readonly memory?: SignerMemory;
    /** Of the log; none for a did:web. */
    readonly operations?: readonly string[];
  }
  const seen = ({ key, code, proven = true, operations }: Shown): Seen => ({
    sighting: {
      signer: A,
      revs: proven ? [REV] : [],
      ...(key !== undefined && { key }),
      ...(operations && { operations }),
    },
    ...(code && { finding: { signer: A, code, detail: "" } }),
  });

  it.each<[string, Shown, string]>([
    ["nothing, by a good answer", { key: "K1" }, "nothing"],
    ["nothing, where nothing is known", { key: "K1", memory: NOTHING_REMEMBERED }, "nothing"],
    ["nothing, by a log that shows nothing", { code: "identity.log_invalid", proven: false }, "nothing"],
    ["the signer, by an identity of no use", { code: "identity.invalid", proven: false }, "signer"],
    ["nothing, by a commit that is not theirs", { key: "K1", code: "commit.bad_signature", proven: false }, "nothing"],
    ["nothing, by a bad proof", { key: "K1", code: "car.malformed" }, "nothing"],
    ["nothing, by what is missing of the tag", { key: "K1", code: "pds.unreachable" }, "nothing"],
    ["the digest, by absence", { key: "K1", code: "record.absent" }, "digest"],
    ["the tag, where it means another image", { key: "K1", code: "tag.mismatch" }, "tag"],
    ["the tag, where it is not there", { key: "K1", code: "tag.absent" }, "tag"],
    ["nothing, by the registry's word for its type", { key: "K1", code: "record.media_type_mismatch" }, "nothing"],
    ["the name, by another repository", { key: "K1", code: "record.wrong_repository" }, "name"],
    ["the name, by another owner", { key: "K1", code: "image.owner_mismatch" }, "name"],
    ["the name, by a PDS that is not the pinned one", { key: "K1", code: "identity.pds_not_pinned" }, "name"],
    ["the name, by a rev before minRev", { key: "K1", code: "commit.older_than_pinned" }, "name"],
    ["the signer, by a tombstone", { code: "identity.deactivated", proven: false }, "signer"],
    ["the signer, by another key", { key: "K2" }, "signer"],
    ["the signer, by another key alone", { key: "K2", proven: false }, "signer"],
    ["the signer, by absence under another key", { key: "K2", code: "record.absent" }, "signer"],
    ["the signer, by the key before the last", { key: "K1", memory: knowing({ K1: 1, K2: 2 }) }, "signer"],
    [
      "the signer, by a log that goes back to a former key",
      { key: "K1", operations: ["one", "two"], memory: TWO },
      "signer",
    ],
    ["nothing, by the same log again", { key: "K1", operations: ["one"], memory: TWO }, "nothing"],
    ["the signer, by a key never seen in a log that was", { key: "K3", operations: ["one"], memory: TWO }, "signer"],
    ["nothing, by the last key", { key: "K2", memory: knowing({ K1: 1, K2: 2 }) }, "nothing"],
  ])("is %s", (_, shown, expected) => {
    expect(refuted(seen(shown), shown.memory ?? KNOWN)).toBe(expected);
  });
});

describe("isNewestKey", () => {
  it.each<[string, string, SignerMemory, boolean]>([
    ["nothing is known", "K1", NOTHING_REMEMBERED, true],
    ["it alone was seen", "K1", knowing({ K1: 1 }), true],
    ["it was seen last", "K2", knowing({ K1: 1, K2: 2 }), true],
    ["another was seen later", "K1", knowing({ K1: 1, K2: 2 }), false],
    ["another was seen at the same time", "K1", knowing({ K1: 1, K2: 1 }), false],
    ["only another was seen", "K1", knowing({ K2: 1 }), false],
  ])("where %s", (_, key, memory, expected) => {
    expect(isNewestKey(key, memory)).toBe(expected);
  });
});

describe("what a tag is proven to mean", () => {
  const address = "at://address";
  const sighting = { signer: A, revs: [REV] };
  const tags = {
    none: undefined,
    absent: { address },
    another: { code: "tag.mismatch", detail: "" },
    unproven: { code: "pds.unreachable", detail: "" },
    this: { address, claim: { repository: "app", tag: "v1" } },
  } as const;

  it.each([
    ["none", "nothing", false],
    ["absent", "tag", false],
    ["another", "tag", false],
    ["unproven", "nothing", false],
    ["this", "nothing", true],
  ] as const)("%s: ends %s", (name, ends, isThis) => {
    const seen = { sighting, ...(tags[name] && { tag: tags[name] }) } as Seen;
    expect(refuted(seen, NOTHING_REMEMBERED)).toBe(ends);
    expect(meansThis(seen)).toBe(isThis);
  });

  it.each([
    ["identity.unsupported_key", "signer"],
    ["record.blob_mismatch", "nothing"],
  ] as const)("%s ends %s", (code, ends) => {
    const finding = { signer: A, code, detail: "" };
    expect(refuted({ sighting, finding }, NOTHING_REMEMBERED)).toBe(ends);
  });
});
