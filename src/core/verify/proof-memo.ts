import { toUtf8 } from "../encoding/bytes.ts";
import { field, isJsonObject, parseJson } from "../encoding/json.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { Rejection } from "../rejection.ts";
import type { Attempt, SignatureFacts } from "./verdict.ts";

/** A signature whose proof held. */
export type Proven = Extract<Attempt, { facts: SignatureFacts }>;

/** What evidence proved, and when it was fetched. */
export interface ProvenEvidence {
  readonly proven: Proven;
  /** When each part was fetched; milliseconds since 1970. */
  readonly times: readonly number[];
  /** URL of the identity. */
  readonly source?: string;
}

/**
 * What was proven, as it is remembered beside its evidence: with the hash of the bytes that proved it and
 * the program that did it. A judgement is never remembered.
 *
 * @param evidence bytes of the bundle
 * @param program names the program (version.ts)
 */
export function writeProven(evidence: Uint8Array, program: string, { proven, ...about }: ProvenEvidence): Uint8Array {
  return toUtf8(JSON.stringify({ program, evidence: sha256Hex(evidence), ...about, proven }));
}

/**
 * What was proven by these very bytes and this very program.
 *
 * @param bytes that {@link writeProven} made: believed, so they are to be authenticated (io/store/cache-key.ts)
 * @returns undefined where they are about other bytes, or by another program
 */
export function readProven(bytes: Uint8Array, evidence: Uint8Array, program: string): ProvenEvidence | undefined {
  const json = parsed(bytes);
  if (!isJsonObject(json) || field(json, "program") !== program || field(json, "evidence") !== sha256Hex(evidence)) {
    return undefined;
  }
  const [proven, times, source] = [field(json, "proven"), field(json, "times"), field(json, "source")];
  return {
    proven: proven as Proven,
    times: times as ProvenEvidence["times"],
    ...(typeof source === "string" && { source }),
  };
}

/** Without the tag, which is cached separately. */
export function withoutTag({ facts, observation }: Proven): Proven {
  const { tag: _, ...rest } = facts;
  return { facts: rest, ...(observation && { observation: { ...observation, revs: [facts.rev] } }) };
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, "internal.error", "what was proven");
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}
