import { statSync } from "node:fs";
import { isDenied } from "../disk/denied.ts";
import { readTrustedFile } from "../disk/local-file.ts";
import type { ImageReference } from "../oci/reference.ts";
import { type BreakGlass, isCovered, readBreakGlass, whyNotInForce } from "../policy/break-glass.ts";
import type { RejectionCode } from "../rejection.ts";
import type { Answer } from "./answer.ts";
import { breakGlassPath } from "./break-glass-place.ts";

/** Mistakes of the node itself, which must not keep its pulls from being let through. */
const OF_THE_NODE: ReadonlySet<RejectionCode> = new Set(["policy.invalid", "config.invalid"]);
/** What somebody has denied by name is no emergency. */
const SAID_BY_NAME: ReadonlySet<RejectionCode> = new Set(["policy.denied", "policy.probe"]);

/** A break-glass file of this node. */
export type Glass = { readonly path: string } & (
  | { readonly broken: BreakGlass }
  /** Why it does not hold, as a clause. */
  | { readonly broken?: never; readonly because: string; readonly isUnseen?: true }
);

/**
 * Reads the break-glass file. Whatever is wrong with it makes it hold for nothing.
 *
 * @param now milliseconds since 1970
 * @returns undefined where there is none
 */
export function readGlass(now: number): Glass | undefined {
  const path = breakGlassPath();
  try {
    const text = readTrustedFile({ path, code: "config.invalid", what: "the break-glass file" });
    if (text === undefined) return undefined;
    const read = readBreakGlass(text, path);
    const because = whyNotInForce(read, statSync(path).mtimeMs, now);
    return because === undefined ? { path, broken: read } : { path, because };
  } catch (error) {
    return { path, because: (error as Error).message, ...(isDenied(error) && { isUnseen: true as const }) };
  }
}

/**
 * What becomes of an answer where the glass is broken: a refusal of an image that it covers lets the pull
 * through. Not one that the policy denies by name, nor one whose question could not be read, nor a bug.
 *
 * @param name attacker-controlled, canonical
 */
export function overrule(answer: Answer, glass: Glass | undefined, name: ImageReference): Answer {
  if (glass === undefined || answer.outcome === "allow") return answer;
  if (glass.broken === undefined) {
    // Whoever counts on the file and is refused all the same must be told why.
    return { ...answer, detail: `${answer.detail}; ${glass.path} does not hold: ${glass.because}` };
  }
  const { code, outcome } = answer;
  const isVerdict = outcome === "deny" || outcome === "inconclusive";
  const mayBe = isVerdict ? !SAID_BY_NAME.has(code) : OF_THE_NODE.has(code);
  if (!mayBe || !isCovered(glass.broken, name)) return answer;
  const { reason, until } = glass.broken;
  return { outcome: "allow", because: { kind: "break_glass", reason, until, would: answer } };
}
