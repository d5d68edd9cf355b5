import { createHash, timingSafeEqual } from "node:crypto";
import type { Token } from "./token-file.ts";

/** RFC 6750 2.1; the scheme's name is case-insensitive (RFC 9110 11.1). */
const BEARER = /^bearer +([-A-Za-z0-9._~+/]+=*)$/i;

/** The tokens that are accepted, as hashes of equal length. */
export class TokenNames {
  readonly #tokens: readonly { readonly name: string; readonly hash: Buffer }[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens.map(({ name, secret }) => ({ name, hash: hashOf(secret) }));
  }

  get count(): number {
    return this.#tokens.length;
  }

  /**
   * Finds the name of the token that a request carries. The time it takes says nothing about the secrets: hashes are
   * compared, in constant time, with all tokens.
   *
   * @param authorization the header's value; attacker-controlled, and as long as the server reads headers
   * @returns undefined where it carries none that is accepted
   */
  nameOf(authorization: string | undefined): string | undefined {
    const secret = BEARER.exec(authorization ?? "")?.[1];
    if (secret === undefined) return undefined;
    const hash = hashOf(secret);
    let found: string | undefined;
    for (const token of this.#tokens) if (timingSafeEqual(token.hash, hash)) found ??= token.name;
    return found;
  }
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
