import { describe, expect, it } from "vitest";
import { readIdentity } from "../../../../src/core/atproto/identity.ts";
import { keyPeriods, undoneKeys } from "../../../../src/core/atproto/key-history.ts";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { PlcLog } from "../../../support/plc-operations.ts";
import { signingKey } from "../../../support/signing-key.ts";

const DAY = 86_400_000;
const AT = Date.UTC(2025, 0, 1);
const [MAIN, SPARE] = [signingKey("k256", "main"), signingKey("k256", "spare")];
const [OLD, NEW] = [signingKey("k256", "old"), signingKey("p256", "new")];

const begun = () =>
  PlcLog.create(
    { rotationKeys: [MAIN, SPARE], signingKey: OLD, handle: "a.test", pds: "https://pds.example" },
    { at: AT },
  );
const historyOf = (log: PlcLog) => readIdentity(log.did as Did, log.bytes()).history ?? [];

describe("the periods of a signer's keys", () => {
  it("are one for each key, whatever else an operation changes", async () => {
    const log = await begun();
    await log.update({ pds: "https://other.example" }, { at: AT + DAY });
    await log.update({ signingKey: NEW }, { at: AT + 2 * DAY });
    await log.update({ signingKey: OLD }, { at: AT + 3 * DAY });
    expect(keyPeriods(historyOf(log))).toEqual([
      { key: OLD.did(), since: AT, until: AT + 2 * DAY },
      { key: NEW.did(), since: AT + 2 * DAY, until: AT + 3 * DAY },
      { key: OLD.did(), since: AT + 3 * DAY },
    ]);
  });

  it("do not include a key that was undone", async () => {
    const log = await begun();
    await log.update({ signingKey: NEW }, { at: AT + DAY, signer: SPARE });
    await log.update({ pds: "https://other.example" }, { at: AT + 2 * DAY, signer: MAIN, after: 0 });
    expect(keyPeriods(historyOf(log))).toEqual([{ key: OLD.did(), since: AT }]);
    expect(undoneKeys(historyOf(log))).toEqual([NEW.did()]);
  });

  it("end with a tombstone", async () => {
    const log = await begun();
    await log.tombstone({ at: AT + DAY });
    expect(keyPeriods(historyOf(log))).toEqual([
      { key: OLD.did(), since: AT, until: AT + DAY },
      { key: undefined, since: AT + DAY },
    ]);
    expect(undoneKeys(historyOf(log))).toEqual([]);
  });
});
