import type { Did } from "../atproto/syntax.ts";
import type { Config } from "../config/config.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { toTypedJson } from "../encoding/typed-json.ts";
import type { Rule } from "../policy/policy.ts";
import type { Refusals } from "../state/refusals.ts";
import { atcrName } from "../verify/atcr-name.ts";
import { ineligible } from "../verify/eligibility.ts";
import type { Subject } from "../verify/evidence.ts";
import { applyAction, judge } from "../verify/judge.ts";
import { isFresh, isOutdated, partTimes } from "../verify/kept.ts";
import { NOTHING_REMEMBERED, type SignerMemory } from "../verify/memory.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Lasting } from "./lasting.ts";

/** What an answer by what was gathered a moment ago works with. */
export interface RefusalContext {
  readonly config: Config;
  readonly cache: Lasting["cache"];
  readonly refusals: () => Promise<Pick<Refusals, "find">>;
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * What is asked of whom about an image, as hex digits: where it is equal, so is what would be gathered. The
 * image is named by its digest; its name and tag say only where a question leads.
 */
export function questionOf({ name, digest, tag }: Subject, { requirement }: Rule, config: Config, now: number): string {
  const { signers, tag: tagRule, owner } = requirement;
  const eligible = signers.filter((signer) => !ineligible(signer, now)).map(({ did }) => did);
  const asked = { digest, host: name.host, path: name.path, tag, eligible, tagRule, owner, config };
  return sha256Hex(toUtf8(toTypedJson(asked)));
}

/**
 * Judges by all that another process, or this node a moment ago, gathered for the same question without being
 * able to allow it (spec 6). It is proven and judged anew.
 *
 * @returns undefined where nothing was gathered within the last seconds, or a signer has had another key since
 */
export async function answerFromRefusal(
  subject: Subject,
  rule: Rule,
  context: RefusalContext,
): Promise<Verdict | undefined> {
  const { config, cache } = context;
  if (!config.cacheEnabled) return undefined;
  const now = context.now();
  const bundle = (await context.refusals()).find(questionOf(subject, rule, config, now), now);
  if (bundle?.digest !== subject.digest) return undefined;
  const { signatures, ...evidence } = bundle.evidence;
  if (!isFresh(signatures.flatMap(partTimes), now, config.cacheTTL)) return undefined;

  const [{ attempt, soughtFor }, { judgeKept }] = await Promise.all([
    import("../verify/prove.ts"),
    import("./kept.ts"),
  ]);
  const { requirement } = rule;
  const sought = soughtFor(
    subject,
    requirement.tag === "match" ? subject.tag : undefined,
    atcrName(subject.name, config.atcrHosts),
  );
  const memory = new Map<Did, SignerMemory>();
  const memoryOf = (signer: Did): SignerMemory => memory.get(signer) ?? NOTHING_REMEMBERED;
  for (const { signer } of [...signatures, ...evidence.gaps]) {
    if (signer !== undefined && !memory.has(signer)) memory.set(signer, await context.recall(signer));
  }
  const attempts = signatures.map((signature) => attempt(sought, signature));
  if (attempts.some((one) => "facts" in one && isOutdated(one, memoryOf(one.facts.signer)))) return undefined;
  const given = { subject, rule, atcrHosts: config.atcrHosts, memory, now, attempts, ...evidence };
  const fresh = judge(given);
  const takesKept = requirement.maxStaleness !== undefined && fresh.outcome === "inconclusive";
  const asked = { sought, memory, identityOf: () => undefined };
  const kept = takesKept ? judgeKept(given, asked, cache) : undefined;
  return applyAction(rule, kept ?? fresh);
}
