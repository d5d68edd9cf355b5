import { type Identity, readIdentity } from "../../src/core/atproto/identity.ts";
import type { Did } from "../../src/core/atproto/syntax.ts";
import { Rejection } from "../../src/core/rejection.ts";

/**
 * The identity that these bytes prove, for tests in which it can be used.
 *
 * @throws Rejection identity.log_invalid, identity.deactivated, identity.invalid, identity.unsupported_key
 */
export function proveIdentity(did: Did, bytes: Uint8Array): Identity {
  const { current } = readIdentity(did, bytes);
  if (current instanceof Rejection) throw current;
  return current;
}
