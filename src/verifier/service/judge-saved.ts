import { CheckedCommits } from "../../core/atproto/record-proof.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import type { Bundle } from "../../core/evidence/bundle.ts";
import type { Evidence, Fetched } from "../../core/evidence/evidence.ts";
import type { Witness } from "../../core/evidence/outside.ts";
import { refusalOf } from "../../core/verify/answer.ts";
import { judgeOutsideSteps } from "../../core/verify/judge-outside.ts";
import { savedSteps } from "../../core/verify/judge-saved-evidence.ts";
import { windowObjection } from "../../core/verify/outside-evidence.ts";
import type { IdentityProofs } from "../../core/verify/outside-identity.ts";
import type { Question } from "../../core/verify/question.ts";
import { NO_HISTORY, type SignerHistory } from "../../core/verify/signer-history.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { UnavailableError } from "../collect/context.ts";
import { inSteps } from "../collect/replay.ts";
import type { Stores } from "./open-stores.ts";
import type { Session } from "./session.ts";

/** Evidence to judge instead of the network's answers and the cache. */
export type Saved = { readonly bundle: Bundle } & (
  | {
      /** A bundle that a person named: the rules for evidence from outside apply. */
      readonly kind: "outside";
      readonly witness: Witness;
      /**
       * What this node knows that it is compared with: the history of signers, and the newest time that it has proven.
       * Without the time where it is judged as of another one, and with nothing for a vector.
       */
      readonly comparedWith: "history and time" | "history" | "nothing";
    }
  /** As if this node had just gathered it: a vector. */
  | { readonly kind: "gathered" }
);

/** Judges saved evidence within the deadline, like a pull: it may contain costly logs. */
export async function judgeSaved(
  question: Question,
  saved: Saved,
  evidence: Evidence,
  session: Session,
  stores: Stores,
): Promise<Verdict> {
  const { deadline } = session;
  try {
    const steps =
      saved.kind === "gathered"
        ? savedSteps(question, evidence, session.now())
        : await bundleSteps(question, saved, evidence, session, stores);
    if ("outcome" in steps) return steps;
    return await deadline.track("the saved evidence", () => inSteps(steps, "all of the saved evidence", { deadline }));
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    return { outcome: "inconclusive", code: error.code, detail: error.message, findings: [] };
  }
}

/** @returns a refusal where the rule takes nothing of this bundle, also not what it leaves out */
async function bundleSteps(
  question: Question,
  { bundle, witness, comparedWith }: Extract<Saved, { kind: "outside" }>,
  evidence: Evidence,
  session: Session,
  stores: Stores,
) {
  const { signatures, owner, ...rest } = evidence;
  const { gatheredAt } = bundle;
  const now = session.now();
  const readTime = comparedWith === "history and time" ? stores.provenTime() : {};
  const provenTime = readTime.isDenied ? {} : readTime;
  const objection = windowObjection(question.rule, { witness, gatheredAt }, now, provenTime);
  if (objection !== undefined) return refusalOf(objection.code, objection.detail) as Verdict;
  const shared = sharedOf(bundle);
  const signers = new Set(signatures.map(({ signer }) => signer));
  const memory = new Map<Did, SignerHistory>();
  for (const did of question.eligible) {
    if (comparedWith === "nothing" || !signers.has(did)) continue;
    const history = await stores.loadHistory(did);
    // A person who may not read this node's history was warned.
    memory.set(did, history.isDenied ? NO_HISTORY : history);
  }
  return judgeOutsideSteps(
    { ...question, ...rest, attempts: [], memory, now },
    {
      pieces: signatures.map((signature) => ({ signature, witness, gatheredAt, ...(owner && { owner }) })),
      identitiesOf: (did) => (shared.identities.get(did) ?? []).map((identity) => ({ identity, witness })),
      fetchedOf: () => undefined,
      memory,
      provenTime,
      proofs: shared.proofs,
      checked: shared.checked,
    },
  );
}

/** What the verifications of a bundle's images share. */
interface Shared {
  /** The different identities of each signer in any of its images: the newest judges all. */
  readonly identities: ReadonlyMap<Did, readonly Fetched[]>;
  readonly proofs: IdentityProofs;
  readonly checked: CheckedCommits;
}

const SHARED = new WeakMap<Bundle, Shared>();

function sharedOf(bundle: Bundle): Shared {
  const known = SHARED.get(bundle);
  if (known !== undefined) return known;
  const signatures = bundle.images.flatMap(({ evidence }) => evidence.signatures);
  const distinct = new Map(signatures.map((one) => [`${one.signer} ${sha256Hex(one.identity.bytes)}`, one]));
  const bySigner = Map.groupBy(distinct.values(), ({ signer }) => signer);
  const identities = new Map([...bySigner].map(([did, all]) => [did, all.map(({ identity }) => identity)]));
  const shared = { identities, proofs: new Map(), checked: new CheckedCommits() };
  SHARED.set(bundle, shared);
  return shared;
}
