import { Rejection } from "../rejection.ts";
import { readDidDocument } from "./did-document.ts";
import type { VerificationKey } from "./key.ts";
import { plcIdentity } from "./plc-identity.ts";
import { type PlcHistoryEntry, replayPlcLog, type Steps } from "./plc-log.ts";
import type { Service } from "./plc-operation.ts";
import { type Did, isPlc } from "./syntax.ts";

/** A signer's current identity, as proven from the bytes of a directory or host (spec 5.1). */
export interface Identity {
  readonly did: Did;
  /** The key that signs the repo's commits. */
  readonly key: VerificationKey;
  /**
   * Since when the key has been in place without a break, claimed by the directory: milliseconds since 1970. Absent for
   * a did:web, which has no history.
   */
  readonly keySince?: number;
  /**
   * did:key texts of all other signing keys in valid operations, in the order of the log, including nullified ones. Empty
   * for a did:web.
   */
  readonly formerKeys: ReadonlySet<string>;
  /** Origin of the PDS: `https://host[:port]`. */
  readonly pds: string;
  /** Handles that the identity claims, most preferred first; not verified. */
  readonly handles: readonly string[];
  readonly services: readonly Service[];
}

/** What the bytes of a directory or host prove about a DID, even if the identity is not usable now. */
export interface IdentityProof {
  readonly did: Did;
  /** All valid operations of a did:plc, nullified ones included; absent for a did:web. */
  readonly history?: readonly PlcHistoryEntry[];
  /** The current identity, or why it is unusable: identity.deactivated, identity.invalid, identity.unsupported_key. */
  readonly current: Identity | Rejection;
}

/**
 * Reads an identity from fetched bytes: a did:plc by replaying its operation log, a did:web from its document, which is
 * authenticated only by the host's TLS certificate.
 *
 * @param bytes attacker-controlled: the audit log or the DID document
 * @throws Rejection identity.log_invalid
 */
export function readIdentity(did: Did, bytes: Uint8Array): IdentityProof {
  const steps = identitySteps(did, bytes);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** {@link readIdentity} in steps of a few milliseconds, so that the caller can check the clock in between. */
export function* identitySteps(did: Did, bytes: Uint8Array): Steps<IdentityProof> {
  if (!isPlc(did)) return { did, current: outcomeOf(() => readDidDocument(did, bytes)) };
  const history = yield* replayPlcLog(did, bytes);
  return { did, history, current: outcomeOf(() => plcIdentity(did, history)) };
}

function outcomeOf(read: () => Identity): Identity | Rejection {
  try {
    return read();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
