import { readDidDocument } from "./did-document.ts";
import type { VerificationKey } from "./key.ts";
import { replayPlcLog } from "./plc-log.ts";
import { type Did, isPlc } from "./syntax.ts";

/** Who a signer is now, as proven from the bytes of their directory or host (spec 5.1). */
export interface Identity {
  readonly did: Did;
  /** The key that signs the repo's commits. */
  readonly key: VerificationKey;
  /** did:key texts of signing keys that stood before this one; empty where no history is known. */
  readonly formerKeys: ReadonlySet<string>;
  /** Origin of the PDS: `https://host[:port]`. */
  readonly pds: string;
  /** Handles the identity claims, most preferred first; claimed only, not verified back. */
  readonly handles: readonly string[];
}

/**
 * Proves an identity from what was fetched: a did:plc by replaying its operation log, a did:web by
 * its document, which the host's TLS certificate vouched for.
 *
 * @param bytes attacker-controlled: the audit log or the DID document
 * @throws Rejection identity.log_invalid, identity.deactivated, identity.invalid, identity.unsupported_key
 */
export function proveIdentity(did: Did, bytes: Uint8Array): Identity {
  return isPlc(did) ? replayPlcLog(did, bytes) : readDidDocument(did, bytes);
}
