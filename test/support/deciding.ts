import type { Did } from "../../src/core/atproto/syntax.ts";
import type { Config } from "../../src/core/config/config.ts";
import type { Evidence, Subject } from "../../src/core/evidence/evidence.ts";
import type { PolicyRule, Requirement, TrustedSigner, TrustPolicy } from "../../src/core/policy/policy.ts";
import { parseScope, type Scope } from "../../src/core/policy/scope.ts";
import { select } from "../../src/core/policy/select.ts";
import type { Answer } from "../../src/core/verify/answer.ts";
import { enforce } from "../../src/core/verify/enforce.ts";
import { judge } from "../../src/core/verify/judge.ts";
import { questionOf } from "../../src/core/verify/question.ts";
import { Deadline } from "../../src/io/process/deadline.ts";
import { type DecideContext, gatherAndJudge } from "../../src/verifier/service/gather-and-judge.ts";
import { asDid, PRODUCTION, subject, trusted } from "./evidence.ts";
import type { World } from "./world.ts";

/** Policies with one rule, and decisions by them in a world of stand-ins. */

/** Longer than any test may take. */
export const HANGS = 60_000;
/** So long that waiting for something that hangs is not hidden by a timeout. */
export const PATIENT = { registryTimeout: HANGS, pdsTimeout: HANGS, didResolverTimeout: HANGS };
export const BOTH = { plcDirectories: ["https://plc.example", "https://plc2.example"] };

/** DIDs that no directory knows. */
export function nobodies(count: number): Did[] {
  return Array.from({ length: count }, (_, i) => asDid(`did:plc:${"q".repeat(22)}${"abcdefghijklmnopqrstuvwxyz"[i]}a`));
}

/** One rule, for everything on registry.example. */
export function policy(
  signers: readonly (Did | TrustedSigner)[],
  requirement: Partial<Requirement> = {},
  rule: Partial<PolicyRule> = {},
): TrustPolicy {
  const all = signers.map((one) => (typeof one === "string" ? trusted(one) : one));
  const required = { minSignatures: 1, repository: "match", tag: "any", ...requirement } as const;
  const trusts = { inherited: all.length, own: [] };
  const scopes = [parseScope("registry.example/**") as Scope];
  return {
    hash: "0".repeat(64),
    files: [{ name: PRODUCTION.file, ruleLines: [PRODUCTION.line] }],
    deniedDigests: new Map(),
    allowedDigests: new Map(),
    rules: [{ name: PRODUCTION.name, scopes, action: "enforce", trusts, requirement: required, ...rule }],
    fallback: "deny",
    fallbackPlace: [0, 1],
    everyone: all,
  };
}

/** What may be different about a pull. */
export interface Pull {
  readonly about?: Partial<Subject>;
  readonly config?: Partial<Config>;
  readonly time?: number;
}

/** Decides by the network only, without the fresh cache that Verifier tries first. */
export async function decide(
  about: Subject,
  judged: TrustPolicy,
  context: DecideContext,
): Promise<{ readonly verdict: Answer; readonly evidence: Evidence }> {
  const selection = select(judged, about.name, about.digest);
  if (selection.kind !== "judge") {
    return { verdict: judge(selection), evidence: { pointers: [], signatures: [], gaps: [] } };
  }
  const { rule } = selection;
  const question = questionOf(about, rule, context.config.atcrHosts, context.now());
  const { verdict, evidence } = await gatherAndJudge(question, context);
  return { verdict: enforce(verdict, { image: about.name, rule }), evidence };
}

export async function verdictOf(
  world: World,
  judged: TrustPolicy,
  { about, config, time }: Pull = {},
): Promise<Answer> {
  return (await decide(subject(about), judged, world.context(config, time))).verdict;
}

/** A deadline that always has this many milliseconds left. */
export function fixedDeadline(left: number): Deadline {
  return Object.assign(new Deadline(performance.now() + left), { remaining: () => left });
}

/** A deadline on a clock that advances by a millisecond at each reading, independent of the machine. */
export class Counted extends Deadline {
  #left: number;

  constructor(left: number) {
    super(performance.now() + left);
    this.#left = left;
  }

  override remaining(): number {
    return Math.max(0, this.#left--);
  }
}

/** `allow`, or outcome and code. */
export async function answer(world: World, judged: TrustPolicy, pull?: Pull): Promise<string> {
  const verdict = await verdictOf(world, judged, pull);
  return verdict.outcome === "allow" ? "allow" : `${verdict.outcome} ${verdict.code}`;
}
