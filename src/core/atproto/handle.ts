/** A handle in canonical form, lower case (https://atproto.com/specs/handle). */
export type Handle = string & { readonly __brand: "Handle" };

const MAX_HANDLE = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A name that ends in digits could be an IPv4 address. */
const TOP_LEVEL = /^[a-z]/;

/** Top-level domains without names in the public DNS, where anyone could answer for a handle. */
const RESERVED: ReadonlySet<string> = new Set([
  "alt",
  "arpa",
  "example",
  "internal",
  "invalid",
  "local",
  "localhost",
  "onion",
  "test",
]);

/**
 * Whether `text` is a handle in the form that image names have: in lower case.
 *
 * @param text attacker-controlled
 */
export function isHandle(text: string): text is Handle {
  if (text.length > MAX_HANDLE) return false;
  const labels = text.split(".");
  return labels.length > 1 && labels.every((label) => LABEL.test(label)) && TOP_LEVEL.test(labels.at(-1) ?? "");
}

/**
 * Normalises a handle as people and documents write it: in any case, perhaps with a leading `@`.
 *
 * @param text attacker-controlled
 * @returns undefined where it is not a handle
 */
export function normaliseHandle(text: string): Handle | undefined {
  // Only these letters: some others have a lower-case form in ASCII, such as the Kelvin sign.
  const lower = text.replace(/^@/, "").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return isHandle(lower) ? lower : undefined;
}

/**
 * The handle that an identity claims: its first `at://` alias that is a valid handle. Others do not count
 * (https://atproto.com/specs/did).
 *
 * @param handles attacker-controlled: without `at://`, in the identity's order
 */
export function claimedHandle(handles: readonly string[]): Handle | undefined {
  return handles
    .filter((text) => !text.startsWith("@"))
    .map(normaliseHandle)
    .find((handle) => handle !== undefined);
}

/** Whether the handle is below a top-level domain that ATProto reserves for development. */
export function isReserved(handle: Handle): boolean {
  return RESERVED.has(handle.split(".").at(-1) ?? "");
}

/** What to do where a DID was expected and this is a handle, the likeliest mistake; undefined where it is none. */
export function insteadOfHandle(text: string): string | undefined {
  const handle = normaliseHandle(text);
  return handle && `this is a handle; run: atcr-verify identity ${handle}, which prints its DID`;
}
