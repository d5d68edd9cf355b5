import fc from "fast-check";
import { expect, it } from "vitest";
import { type Tid, tidAt } from "../../src/core/atproto/syntax.ts";
import type { Witness } from "../../src/core/evidence/outside.ts";
import { digestHex } from "../../src/core/oci/digest.ts";
import { judgeOutsideSteps } from "../../src/core/verify/judge-outside.ts";
import { questionOf } from "../../src/core/verify/question.ts";
import { addressOfPath, type RememberedNo } from "../../src/core/verify/remembered-noes.ts";
import { NO_HISTORY, type SignerHistory } from "../../src/core/verify/signer-history.ts";
import { DIGEST, NOW, rule, SIGNED, signer, subject, trusted } from "../support/evidence.ts";

const [MINUTE, DAY] = [60_000, 24 * 3_600_000];
const WINDOW = 30 * DAY;
const ADDRESS = addressOfPath(`io.atcr.manifest/${digestHex(DIGEST)}`);
const who = { plc: await signer({ name: "alice" }), web: await signer({ name: "alice", method: "web" }) };
const evidence = { plc: await who.plc.evidence(), web: await who.web.evidence() };

interface Given {
  readonly method: "plc" | "web";
  readonly kind: Witness["kind"];
  readonly gatheredAt: number;
  readonly importedAt: number;
  readonly now: number;
  readonly provenTime: number;
  readonly noAt: number | undefined;
  readonly floorAt: number | undefined;
}

/** Around the edges. */
const time = (...around: readonly number[]) =>
  fc.tuple(fc.constantFrom(...around), fc.integer({ min: -10, max: 10 })).map(([at, minutes]) => at + minutes * MINUTE);
const given: fc.Arbitrary<Given> = fc.record({
  method: fc.constantFrom("plc" as const, "web" as const),
  kind: fc.constantFrom("seal" as const, "import" as const, "none" as const),
  gatheredAt: time(NOW, NOW - WINDOW, SIGNED),
  importedAt: time(NOW, NOW - DAY),
  now: time(NOW, NOW + WINDOW),
  provenTime: time(NOW, NOW - DAY, NOW + WINDOW),
  noAt: fc.option(time(SIGNED, NOW), { nil: undefined }),
  floorAt: fc.option(time(SIGNED, SIGNED - DAY), { nil: undefined }),
});

function allows({ method, kind, gatheredAt, importedAt, now, provenTime, noAt, floorAt }: Given): boolean {
  const signature = evidence[method];
  const dated = { ...signature, identity: { ...signature.identity, fetchedAt: gatheredAt } };
  const record = signature.record && { ...signature.record, fetchedAt: gatheredAt };
  const at = kind === "import" ? Math.min(gatheredAt, importedAt) : gatheredAt;
  const witness: Witness = kind === "seal" ? { kind, key: "did:key:a", at } : { kind, at };
  const did = who[method].did;
  const noes = new Map<string, RememberedNo>(noAt === undefined ? [] : [[ADDRESS, { rev: tidAt(noAt) }]]);
  const history: SignerHistory = { ...NO_HISTORY, noes, ...(floorAt !== undefined && { floor: tidAt(floorAt) }) };
  const memory = new Map([[did, history]]);
  const question = questionOf(subject(), rule([trusted(did)], { offlineFor: WINDOW }), ["atcr.io"], now);
  const steps = judgeOutsideSteps(
    { ...question, attempts: [], pointers: [], gaps: [], memory: new Map(), now },
    {
      pieces: [{ signature: { ...dated, ...(record && { record }) }, witness, gatheredAt }],
      identitiesOf: () => [],
      fetchedOf: () => undefined,
      memory,
      provenTime: { newest: provenTime },
      proofs: new Map(),
    },
  );
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value.outcome === "allow";
  }
}

it("evidence from outside counts exactly under its rules", () => {
  fc.assert(
    fc.property(given, (one) => {
      const { method, kind, gatheredAt, importedAt, now, provenTime, noAt, floorAt } = one;
      const rev = who[method].repo.rev as Tid;
      const at = kind === "import" ? Math.min(gatheredAt, importedAt) : gatheredAt;
      const isInWindow = now <= at + WINDOW && Math.max(at, gatheredAt) <= now + 5 * MINUTE;
      const isClockRight = provenTime <= now + 5 * MINUTE;
      const isConsistent = SIGNED <= gatheredAt + 5 * MINUTE;
      const isVouched = method === "plc" || kind !== "none";
      const isTakenBack = [noAt, floorAt].some((end) => end !== undefined && rev <= tidAt(end));
      expect(allows(one)).toBe(isInWindow && isClockRight && isConsistent && isVouched && !isTakenBack);
    }),
    { numRuns: 400 },
  );
});
