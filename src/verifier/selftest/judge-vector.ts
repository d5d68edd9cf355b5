import { DEFAULT_CONFIG } from "../../core/config/config.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { parseDateTime } from "../../core/encoding/time.ts";
import { readBundle } from "../../core/evidence/bundle.ts";
import { parseDigest } from "../../core/oci/digest.ts";
import { parseReference } from "../../core/oci/reference.ts";
import { parsePolicy } from "../../core/policy/parse-policy.ts";
import { type Answer, failureOf } from "../../core/verify/answer.ts";
import { Deadline } from "../../io/process/deadline.ts";
import { RequestCounts } from "../service/exchanges.ts";
import { Verifier, type VerifierOptions } from "../service/verifier.ts";
import type { Expected, Vector } from "./vector.ts";

/** Judges a vector as a pull would be judged, without the network. @throws anything but a Rejection: a bug */
export async function judgeVector(vector: Vector): Promise<Expected> {
  const answer = await answerTo(vector);
  if (answer.outcome !== "allow") return { outcome: answer.outcome, code: answer.code };
  const { because } = answer;
  const would = "would" in because ? { code: because.would.code } : {};
  return { outcome: answer.outcome, because: because.kind, ...would };
}

async function answerTo(vector: Vector): Promise<Answer> {
  const { policy, name: text, digest, mediaType, now: written } = vector;
  const now = parseDateTime(written);
  if (now === undefined) throw new Error(`${written} is not a date and time`);
  try {
    const name = parseReference(text);
    const subject = {
      name,
      ...(name.tag === undefined ? {} : { tag: name.tag }),
      digest: parseDigest(digest, "the vector's digest"),
      ...(mediaType === undefined ? {} : { mediaType }),
    };
    const verifier = new Verifier({
      config: DEFAULT_CONFIG,
      policy: parsePolicy(policy, "trust-policy.yaml"),
      saved: savedOf(vector),
      environment: {},
    });
    const { answer, error } = await verifier.verify(subject, {
      deadline: new Deadline(performance.now() + DEFAULT_CONFIG.deadline),
      requestCounts: new RequestCounts(),
      now: () => now,
      warn: () => {},
      ruleSelected: () => {},
      beforeHeavyWork: () => {},
    });
    if (error !== undefined) throw error;
    return answer;
  } catch (error) {
    const failure = failureOf(error);
    if (failure.outcome === "internal") throw error;
    return failure;
  }
}

/** The vector's evidence: from outside where it says who answers for it, else as just gathered. */
function savedOf({ bundle: lines, witness: kind }: Vector): VerifierOptions["saved"] & object {
  const { bundle } = readBundle(toUtf8(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
  if (kind === undefined) return { kind: "gathered", bundle };
  const at = bundle.gatheredAt;
  const witness = kind === "seal" ? { kind, key: "the vector's key", at } : { kind, at };
  return { kind: "outside", bundle, witness, comparedWith: "nothing" };
}
