import type { Identity, IdentityProof } from "../../../core/atproto/identity.ts";
import type { PlcHistoryEntry } from "../../../core/atproto/plc-log.ts";
import type { PlcState } from "../../../core/atproto/plc-operation.ts";
import { tidTime } from "../../../core/atproto/syntax.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { Rejection, type RejectionCode } from "../../../core/rejection.ts";
import type { IdentityFound } from "../../../verifier/service/look-up-identity.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import { bothWays, claims, describeHandle, handleJson, howVerified } from "./identity-lines.ts";

/** An identity as it is reported. */
export interface ReportedIdentity extends IdentityFound {
  /** As given on the command line, and in milliseconds. */
  readonly minKeyAge: string;
  readonly youngest: number;
}

interface Wrong {
  readonly code: RejectionCode;
  readonly detail: string;
}

/** Why no signature of this identity would count; undefined if it would. */
export function wrongWith(found: IdentityFound): Wrong | undefined {
  const { asked, handle, proof, rolledBack } = found;
  if (rolledBack !== undefined) return rolledBack;
  const { current, did } = proof;
  if (current instanceof Rejection) return { code: current.code, detail: current.message };
  if (handle === undefined || handle.handle !== asked || claims(current, asked)) return undefined;
  return { code: "image.owner_mismatch", detail: `the handle ${asked} resolves to ${did}, which does not claim it` };
}

/** One JSON object; its keys are part of the public interface (docs/reference/cli.md). */
export function identityJson(found: ReportedIdentity): string {
  const { asked, fetched, handle, memory, minKeyAge, proof } = found;
  const wrong = wrongWith(found);
  const identity = proof.current instanceof Rejection ? undefined : proof.current;
  return jsonText({
    outcome: wrong === undefined ? "proven" : "deny",
    ...(wrong !== undefined && { code: wrong.code, reason: wrong.detail }),
    asked,
    did: proof.did,
    source: fetched.url,
    fetchedAt: formatDateTime(fetched.fetchedAt),
    verified: howVerified(proof),
    handles: identity?.handles ?? [],
    ...(handle && { handle: handleJson(handle, proof) }),
    ...(identity && {
      pds: identity.pds,
      services: identity.services,
      key: { ...keyJson(identity, found), minKeyAge },
    }),
    ...(memory.rev !== undefined && { rev: memory.rev, revTime: formatDateTime(tidTime(memory.rev)) }),
    rotationKeys: standingState(proof)?.rotationKeys ?? [],
    history: historyOf(proof).map(({ kind, changes, entry, signedByKey }) => ({
      cid: entry.cid,
      createdAt: formatDateTime(entry.createdAt),
      kind,
      signedBy: entry.signedBy,
      rotationKey: signedByKey,
      nullified: entry.nullified,
      changes,
    })),
  });
}

/** The same for people: what it is, how that was verified, then the history. */
export function identityText(found: ReportedIdentity): string {
  const { fetched, handle, memory, proof } = found;
  const wrong = wrongWith(found);
  const identity = proof.current instanceof Rejection ? undefined : proof.current;
  const lines = [
    wrong === undefined ? `proven: ${proof.did}` : `deny ${wrong.code}: ${wrong.detail}`,
    ...row("DID", [proof.did]),
    ...row("fetched from", [`${fetched.url}, ${formatDateTime(fetched.fetchedAt)}`]),
    ...row("verified", howVerified(proof)),
    ...row("claims", identity?.handles ?? []),
    ...row("handle", handle === undefined ? [] : [describeHandle(handle, proof)]),
    ...row("PDS", identity === undefined ? [] : [identity.pds]),
    ...row("key", identity === undefined ? [] : describeKey(identity, found)),
    ...row(
      "rev",
      memory.rev === undefined
        ? []
        : [`${memory.rev} (${formatDateTime(tidTime(memory.rev))}), the newest that this node has seen`],
    ),
    ...row("rotation keys", standingState(proof)?.rotationKeys ?? []),
    ...row("services", identity?.services.map(({ id, type }) => `${id} (${type})`) ?? []),
    ...row("history", historyOf(proof).flatMap(describeStep)),
    ...(wrong === undefined ? ["  to trust this signer, add to the policy:"] : []),
  ];
  return lines.map(detailLine).join("");
}

/**
 * YAML to paste into a policy, which must not be folded; empty where no signature of the identity counts. A handle becomes
 * the name only if verified in both directions. Pins are comments: a signer who changes them later is refused until the
 * policy follows.
 */
export function policySnippet(found: ReportedIdentity): string {
  const { handle, proof } = found;
  const { current, did } = proof;
  if (current instanceof Rejection || wrongWith(found) !== undefined) return "";
  const name = handle !== undefined && bothWays(handle, proof) === true ? handle.handle : undefined;
  const lines = [
    "trustedDIDs:",
    `  ${did}:`,
    `    name: "${name ?? "who this is"}"`,
    "    # Optional pins, until the signer changes them:",
    `    # keys: ["${current.key.didKey}"]`,
    `    # pds: [${JSON.stringify(current.pds)}]`,
  ];
  return lines.map(detailLine).join("");
}

/** Lines under one heading, which precedes the first. */
function row(heading: string, values: readonly string[]): readonly string[] {
  return values.map((value, i) => `  ${(i === 0 ? `${heading}:` : "").padEnd(16)}${value}`);
}

/**
 * The key's age counts from the log's date or from when this node first saw it, whichever is later (spec 5.8): at a pull, a
 * key that was not seen before has age 0.
 */
function keyJson({ key, keySince, formerKeys }: Identity, { memory, now, youngest }: ReportedIdentity) {
  const firstSeen = memory.keys.get(key.didKey);
  return {
    key: key.didKey,
    ...(keySince !== undefined && { since: formatDateTime(keySince) }),
    firstSeen: firstSeen === undefined ? null : formatDateTime(firstSeen),
    younger: now - Math.max(keySince ?? 0, firstSeen ?? now) < youngest,
    formerKeys: [...formerKeys],
  };
}

function describeKey(identity: Identity, found: ReportedIdentity): readonly string[] {
  const { memory, minKeyAge, now, youngest } = found;
  const { key, since, firstSeen, younger } = keyJson(identity, found);
  const isOldByLog = identity.keySince !== undefined && now - identity.keySince >= youngest;
  const unseen =
    memory.unusable === undefined
      ? "never seen by this node, so a rule's minKeyAge counts from the next pull"
      : `not known when this node first saw it: ${memory.unusable}`;
  return [
    key,
    `in place since ${since ?? "an unknown date (there is no history)"}`,
    firstSeen === null ? unseen : `first seen by this node ${firstSeen}`,
    `${younger ? "younger" : "not younger"} than ${minKeyAge}${younger && isOldByLog ? " for this node, older by the log" : ""}`,
  ];
}

/** One operation, and what it changed. */
interface Step {
  readonly entry: PlcHistoryEntry;
  readonly kind: "genesis" | "update" | "tombstone";
  /** Index of the signing rotation key in the list then in place; 0 is the most powerful. */
  readonly signedByKey: number;
  /** The parts that changed, with their new values. */
  readonly changes: Partial<PlcState>;
}

function historyOf({ history = [] }: IdentityProof): readonly Step[] {
  const states = new Map(history.map(({ cid, state }) => [cid, state]));
  return history.map((entry) => {
    const before = entry.prev === null ? undefined : states.get(entry.prev);
    const keys = (before ?? entry.state)?.rotationKeys ?? [];
    const kind = entry.state === undefined ? "tombstone" : entry.prev === null ? "genesis" : "update";
    return { entry, kind, signedByKey: keys.indexOf(entry.signedBy), changes: changesOf(before, entry.state) };
  });
}

function changesOf(before: PlcState | undefined, after: PlcState | undefined): Partial<PlcState> {
  const parts = Object.entries(after ?? {}) as [keyof PlcState, unknown][];
  const isNew = ([name, value]: [keyof PlcState, unknown]) => JSON.stringify(value) !== JSON.stringify(before?.[name]);
  return Object.fromEntries(parts.filter(isNew));
}

function describeStep({ entry, kind, signedByKey, changes }: Step): readonly string[] {
  const fate = entry.nullified ? "NULLIFIED" : "valid";
  return [
    `${formatDateTime(entry.createdAt)} ${kind}, ${fate}: ${entry.cid}`,
    `  signed by rotation key ${signedByKey}, ${entry.signedBy}`,
    ...Object.entries(changes).map(
      ([name, value]) => `  ${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
    ),
  ];
}

function standingState({ history = [] }: IdentityProof): PlcState | undefined {
  // An operation is nullified only by a later one, so the last is valid.
  return history.at(-1)?.state;
}
