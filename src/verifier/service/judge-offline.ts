import type { Config } from "../../core/config/config.ts";
import type { Evidence, Gap } from "../../core/evidence/evidence.ts";
import { type JudgeInput, judge } from "../../core/verify/judge.ts";
import type { Question } from "../../core/verify/question.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { judgeWithOutsideEvidence } from "../cache/imported.ts";
import { judgeWithStaleEvidence } from "../cache/stale.ts";
import type { Stores } from "./open-stores.ts";
import type { Session } from "./session.ts";

/** A judgement without any service, and what it rests on. */
export interface JudgedOffline {
  readonly verdict: Verdict;
  readonly cache: "none" | "stale" | "bundle";
  readonly evidence: Evidence;
}

/**
 * Judges an image under `offline: true`: every service counts as silent, so this node's own cache is used under
 * `maxStaleness`, and imported evidence under `offlineFor`.
 */
export async function judgeOffline(
  question: Question,
  { plcDirectories }: Config,
  session: Session,
  stores: Stores,
): Promise<JudgedOffline> {
  const { requirement } = question.rule;
  const { deadline } = session;
  const signers = [...question.eligible];
  const store = requirement.offlineFor === undefined ? undefined : await stores.outside();
  const gaps = gapsOf(question, store?.place);
  const given: JudgeInput = { ...question, attempts: [], pointers: [], gaps, memory: new Map(), now: session.now() };
  const nothing = { pointers: [], signatures: [], gaps };
  if (requirement.maxStaleness !== undefined) {
    const asked = { signers, loadHistory: stores.loadHistory, plcDirectories, deadline };
    const verdict = await judgeWithStaleEvidence(given, asked, stores.cache);
    if (verdict !== undefined) return { verdict, cache: "stale", evidence: nothing };
  }
  const { loadHistory, provenTime } = stores;
  const found = store && (await judgeWithOutsideEvidence(given, { signers, store, loadHistory, provenTime, deadline }));
  if (found === undefined) return { verdict: judge(given), cache: "none", evidence: nothing };
  const { verdict, pieces } = found;
  const [owner] = pieces.flatMap((piece) => piece.owner ?? []);
  const evidence = { ...nothing, signatures: pieces.map(({ signature }) => signature), ...(owner && { owner }) };
  return { verdict, cache: "bundle", evidence };
}

/** Nobody is asked, so every answer is missing. */
function gapsOf({ eligible, rule, asksOwner, atcr }: Question, place: string | undefined): readonly Gap[] {
  const because =
    place === undefined
      ? `rule "${rule.name}" does not accept bundles, as it has no offlineFor`
      : `${place} has no evidence of this image; import a bundle that has: atcr-verify bundle import FILE`;
  // The same for all, as a rule may have 10,000 signers.
  const detail = `this node asks no service (offline: true), and ${because}`;
  const owner: readonly Gap[] =
    asksOwner && atcr !== undefined
      ? [
          {
            service: "handle",
            code: "handle.unreachable",
            detail: `the owner of the handle ${atcr.handle} was not looked up (offline: true)`,
          },
        ]
      : [];
  return [
    ...owner,
    ...[...eligible].map((signer): Gap => ({ service: "identity", signer, code: "identity.unreachable", detail })),
  ];
}
