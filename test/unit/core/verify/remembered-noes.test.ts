import { describe, expect, it } from "vitest";
import type { Tid } from "../../../../src/core/atproto/syntax.ts";
import { recordPath, tagRecordPath } from "../../../../src/core/evidence/record-path.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { addressOfPath, isTakenBack, type RememberedNo } from "../../../../src/core/verify/remembered-noes.ts";
import type { SignatureFacts } from "../../../../src/core/verify/verdict.ts";
import { DIGEST, digestOf } from "../../../support/evidence.ts";

const [OLDER, SHOWN, NEWER] = ["3lqk2aaaaaa22", "3lqk2bbbbbb22", "3lqk2cccccc22"] as [Tid, Tid, Tid];
const TAG = tagRecordPath("app", "v1");

/** What was cached of the record, and of the tag where it is given. */
function facts(tag?: SignatureFacts["tag"]): SignatureFacts {
  return { digest: DIGEST, rev: SHOWN, ...(tag && { tag }) } as SignatureFacts;
}

const knowing = (path: string, no: RememberedNo) => ({ noes: new Map([[addressOfPath(path), no]]) });
const tagged = facts({ address: TAG, claim: { repository: "app", tag: "v1" }, rev: SHOWN });

describe("cached evidence", () => {
  it("is taken back by a newer no about its record, and by none of the same revision or about another", () => {
    expect(isTakenBack(facts(), { noes: new Map() })).toBe(false);
    expect(isTakenBack(facts(), knowing(recordPath(DIGEST), { rev: NEWER }))).toBe(true);
    expect(isTakenBack(facts(), knowing(recordPath(DIGEST), { rev: SHOWN }))).toBe(false);
    expect(isTakenBack(facts(), knowing(recordPath(DIGEST), { rev: OLDER }))).toBe(false);
    expect(isTakenBack(facts(), knowing(recordPath(digestOf("other")), { rev: NEWER }))).toBe(false);
  });

  it("is taken back by a newer no about its tag, unless the tag names this image", () => {
    const other = digestOf("other") as Digest;
    expect(isTakenBack(tagged, knowing(TAG, { rev: NEWER }))).toBe(true);
    expect(isTakenBack(tagged, knowing(TAG, { rev: NEWER, except: other }))).toBe(true);
    expect(isTakenBack(tagged, knowing(TAG, { rev: NEWER, except: DIGEST }))).toBe(false);
    expect(isTakenBack(tagged, knowing(TAG, { rev: SHOWN }))).toBe(false);
    expect(isTakenBack(facts(), knowing(TAG, { rev: NEWER }))).toBe(false);
  });
});
