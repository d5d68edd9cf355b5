/** A handle in its one form, lower case (https://atproto.com/specs/handle). */
export type Handle = string & { readonly __brand: "Handle" };

const MAX_HANDLE = 253;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A name that ends in digits could be an IPv4 address. */
const TOP_LEVEL = /^[a-z]/;

/** Top-level domains below which the public DNS has no names, so that anybody could answer for one. */
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
 * The handle as people and documents write it: in any case, and by people with an `@` before it.
 *
 * @param text attacker-controlled
 * @returns undefined where it is none
 */
export function normaliseHandle(text: string): Handle | undefined {
  // Only these letters: some others have a lower-case form in ASCII, such as the Kelvin sign.
  const lower = text.replace(/^@/, "").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return isHandle(lower) ? lower : undefined;
}

/**
 * The handle that an identity claims: the first of its `at://` aliases that is a valid handle. Further ones do not
 * count (https://atproto.com/specs/did).
 *
 * @param handles attacker-controlled: without `at://`, in the identity's order
 */
export function claimedHandle(handles: readonly string[]): Handle | undefined {
  return handles
    .filter((text) => !text.startsWith("@"))
    .map(normaliseHandle)
    .find((handle) => handle !== undefined);
}

/** Whether ATProto wants the handle never to resolve outside of development. */
export function isReserved(handle: Handle): boolean {
  return RESERVED.has(handle.split(".").at(-1) ?? "");
}
