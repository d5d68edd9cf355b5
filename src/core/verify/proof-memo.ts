import type { Did } from "../atproto/syntax.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import { seal, unseal } from "../encoding/sealed.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import type { Digest } from "../oci/digest.ts";
import { Rejection } from "../rejection.ts";
import type { Attempt, SignatureFacts } from "./verdict.ts";

/** A signature whose proof held. */
export type Proven = Extract<Attempt, { facts: SignatureFacts }>;

/** What evidence proved, and when it was had. */
export interface ProvenEvidence {
  readonly proven: Proven;
  /** Of each part of it; milliseconds since 1970. */
  readonly times: readonly number[];
  /** URL of the identity. */
  readonly source?: string;
}

/**
 * What was proven, as it is remembered beside its evidence: with the hash of the bytes that proved it and
 * the program that did it, sealed against damage. A judgement is never remembered.
 *
 * @param evidence bytes of the bundle
 * @param program names the program (version.ts)
 */
export function writeProven(evidence: Uint8Array, program: string, { proven, ...about }: ProvenEvidence): Uint8Array {
  return seal(JSON.stringify({ program, evidence: hashOf(evidence), ...about, proven }));
}

/**
 * What was proven by these very bytes and this very program.
 *
 * @param bytes from where only root and the running user can write, as {@link writeProven} wrote them
 * @param about whom and what the evidence is kept of
 * @returns undefined where they are about something else, other bytes, by another program, or damaged
 */
export function readProven(
  bytes: Uint8Array,
  evidence: Uint8Array,
  program: string,
  { signer, digest }: { readonly signer: Did; readonly digest: Digest },
): ProvenEvidence | undefined {
  const json = parsed(bytes);
  if (!isJsonObject(json) || field(json, "program") !== program || field(json, "evidence") !== hashOf(evidence)) {
    return undefined;
  }
  const [proven, times, source] = [field(json, "proven"), field(json, "times"), field(json, "source")];
  const facts = isJsonObject(proven) ? field(proven, "facts") : undefined;
  if (!isJsonObject(facts) || field(facts, "signer") !== signer || field(facts, "digest") !== digest) return undefined;
  const areTimes = Array.isArray(times) && times.length > 0 && times.every((time) => typeof time === "number");
  if (!areTimes) return undefined;
  return { proven: proven as unknown as Proven, times, ...(typeof source === "string" && { source }) };
}

/** Without the tag: what a tag means has an answer of its own. */
export function withoutTag({ facts, sighting }: Proven): Proven {
  const { tag: _, ...rest } = facts;
  return { facts: rest, ...(sighting && { sighting: { ...sighting, revs: [facts.rev] } }) };
}

function parsed(bytes: Uint8Array): unknown {
  const text = unseal(bytes);
  if (text === undefined) return undefined;
  try {
    return parseJson(toUtf8(text), "internal.error", "what was proven");
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

function hashOf(bytes: Uint8Array): string {
  return sha256Hex(bytes);
}
