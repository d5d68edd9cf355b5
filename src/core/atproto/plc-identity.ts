import { reject } from "../rejection.ts";
import { readHandles } from "./did-document.ts";
import type { Identity } from "./identity.ts";
import { parseDidKey } from "./key.ts";
import { parsePdsEndpoint } from "./pds.ts";
import type { PlcHistoryEntry } from "./plc-log.ts";
import type { Did } from "./syntax.ts";

/**
 * The current identity of a did:plc, from the operations in force.
 *
 * @throws Rejection identity.deactivated, identity.invalid, identity.unsupported_key
 */
export function plcIdentity(did: Did, history: readonly PlcHistoryEntry[]): Identity {
  const standing = history.filter(({ nullified }) => !nullified);
  const last = standing.at(-1)?.state;
  if (last === undefined) reject("identity.deactivated", `the identity ${did} was closed by a tombstone`);
  if (last.signingKey === undefined) reject("identity.invalid", `the identity ${did} has no #atproto key`);
  const key = parseDidKey(last.signingKey);
  if (key === undefined) {
    reject("identity.unsupported_key", `the #atproto key "${last.signingKey}" is not a valid k256 or p256 did:key`);
  }
  const keys = standing.map(({ state }) => state?.signingKey);
  const everyKey = history.map(({ state }) => state?.signingKey);
  const since = standing[keys.findLastIndex((text) => text !== key.didKey) + 1]?.createdAt;
  return {
    did,
    key,
    ...(since === undefined ? {} : { keySince: since }),
    formerKeys: new Set(everyKey.filter((text) => text !== undefined && text !== key.didKey) as string[]),
    pds: parsePdsEndpoint(last.pds),
    handles: readHandles(last.alsoKnownAs),
    services: last.services,
  };
}
