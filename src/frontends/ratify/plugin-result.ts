/**
 * Rules for what is written to standard output, where the host looks for one result:
 * - one line of compact JSON, far below the 64 KiB at which the host stops reading;
 * - printable ASCII, each text short: a message may hold attacker-controlled text;
 * - `extensions` has only what exists. Texts of others in it are claims: see docs/ratify.md.
 */
import { formatDateTime } from "../../core/encoding/time.ts";
import type { Answer } from "../../core/verify/answer.ts";
import { reasonLine } from "../process/report.ts";
import { bounded, errorLine, oneLine } from "./plugin-error.ts";
import type { PluginInput } from "./plugin-request.ts";

/** The verifier as the host named it; before it did, this program's name. */
export type NamedVerifier = Pick<PluginInput, "name" | "type">;

/** The result for an answer; for a bug in this program an error of the protocol instead. */
export function resultLine(answer: Answer, { name, type }: NamedVerifier): string {
  if (answer.outcome === "internal") {
    return errorLine({ kind: "internal", message: `${answer.code}: ${answer.detail}`, details: "" });
  }
  return oneLine({
    isSuccess: answer.outcome === "allow",
    message: reasonLine(answer).trimEnd(),
    name: bounded(name),
    ...(type !== undefined && { type: bounded(type) }),
    extensions: extensionsOf(answer),
  });
}

/** The host takes an exit status other than 0 for a failure of the plugin, not for a refusal. */
export function statusOf({ outcome }: Answer): number {
  return outcome === "internal" ? 1 : 0;
}

function extensionsOf(answer: Answer): Readonly<Record<string, string>> {
  if (answer.outcome !== "allow") return { code: answer.code, error: bounded(answer.detail) };
  const { because } = answer;
  if (because.kind !== "signed") return { code: because.kind };
  const [first] = because.signatures;
  if (first === undefined) return { code: because.kind };
  const { signer, handles, claim, commitCid, pds } = first;
  const [handle] = handles;
  return {
    did: bounded(signer),
    ...(handle !== undefined && { handle: bounded(handle) }),
    signedAt: formatDateTime(claim.createdAt),
    commitCid: bounded(commitCid),
    pdsEndpoint: bounded(pds),
    code: because.kind,
  };
}
