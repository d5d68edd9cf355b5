import { Rejection } from "../rejection.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { type ImageReference, parseReference } from "./reference.ts";

/** What a program of containers/image asks a lookaside server for: the signature of this number of this digest. */
export interface LookasideRequest {
  /** Without tag and digest: the tag is not asked for. */
  readonly name: ImageReference;
  readonly digest: Digest;
  /** From 1. */
  readonly number: number;
}

/** Longest target that is read: the longest name and what follows it. Bounds all work below. */
const MAX_TARGET = 700;
const TARGET = /^\/(?<name>[^@]+)@sha256=(?<hex>[0-9a-f]{64})\/signature-(?<number>[1-9][0-9]{0,2})$/;
/** How many signatures containers/image asks for at most. */
const MAX_SIGNATURES = 128;

/**
 * Reads the target of a request, `/HOST/PATH@sha256=HEX/signature-N` (containers/image, signature-protocols.md), by
 * the grammar of image names. Nothing is decoded or normalised: a client that writes a name in another form gets no answer.
 *
 * @param target as it stands in the request line, attacker-controlled
 * @returns the request, or what was expected, to end a sentence
 */
export function parseLookasideTarget(target: string): LookasideRequest | string {
  const { name = "", hex = "", number = "" } = (target.length <= MAX_TARGET && TARGET.exec(target)?.groups) || {};
  if (name === "" || Number(number) > MAX_SIGNATURES) return "/HOST/PATH@sha256=HEX/signature-N";
  try {
    const parsed = parseReference(name);
    if (parsed.tag !== undefined || parsed.digest !== undefined) return "a name without a tag";
    return { name: parsed, digest: parseDigest(`sha256:${hex}`, "the request"), number: Number(number) };
  } catch (error) {
    if (error instanceof Rejection) return "the full name of an image in canonical form";
    throw error;
  }
}
