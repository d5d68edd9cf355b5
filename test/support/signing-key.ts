import { createHash } from "node:crypto";
import { bytesToMultibase, type Keypair, P256Keypair, parseDidKey, Secp256k1Keypair } from "@atproto/crypto";

export type Curve = "k256" | "p256";

/** Orders of the two groups (SEC 2): a signature's s and its negative are equally valid to the curve. */
const ORDER: Record<Curve, bigint> = {
  k256: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
};

/**
 * A key pair on the reference implementation. It is made from a seed and signs by RFC 6979, so that
 * everything built from it has the same bytes in every run. Usable wherever @atproto/repo wants a
 * `Keypair`.
 */
export class SigningKey implements Keypair {
  readonly curve: Curve;
  readonly jwtAlg: string;
  readonly #pair: Secp256k1Keypair | P256Keypair;

  constructor(curve: Curve, seed: string) {
    const secret = new Uint8Array(createHash("sha256").update(`test key ${curve} ${seed}`).digest());
    this.curve = curve;
    this.#pair = curve === "k256" ? new Secp256k1Keypair(secret, false) : new P256Keypair(secret, false);
    this.jwtAlg = this.#pair.jwtAlg;
  }

  /** `did:key:z…`, as PLC operations name keys. */
  did(): string {
    return this.#pair.did();
  }

  /** `z…` with multicodec and the compressed point: the `publicKeyMultibase` of a Multikey. */
  multikey(): string {
    return this.did().slice("did:key:".length);
  }

  /** `z…` without multicodec, as the legacy verification methods have it: 33 or 65 bytes. */
  legacyMultibase(form: "compressed" | "uncompressed" = "uncompressed"): string {
    const bytes = form === "compressed" ? this.compressed() : this.uncompressed();
    return bytesToMultibase(bytes, "base58btc");
  }

  /** 33 bytes. */
  compressed(): Uint8Array {
    return this.#pair.publicKeyBytes();
  }

  /** 65 bytes, beginning with 4. */
  uncompressed(): Uint8Array {
    return parseDidKey(this.did()).keyBytes;
  }

  /** Signs SHA-256 of the message: 64 bytes, r and s, low-S. */
  async sign(message: Uint8Array): Promise<Uint8Array> {
    return this.#pair.sign(message);
  }

  /** The other valid signature of the same message: 64 bytes, high-S. ATProto forbids it. */
  async signHighS(message: Uint8Array): Promise<Uint8Array> {
    const signature = Uint8Array.from(await this.sign(message));
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
    signature.set(Buffer.from((ORDER[this.curve] - s).toString(16).padStart(64, "0"), "hex"), 32);
    return signature;
  }

  /** The signature of {@link sign} in DER, which ATProto forbids too. */
  async signDer(message: Uint8Array): Promise<Uint8Array> {
    const signature = await this.sign(message);
    const r = derInteger(signature.subarray(0, 32));
    const s = derInteger(signature.subarray(32));
    return Uint8Array.of(0x30, r.length + s.length, ...r, ...s);
  }
}

/** The key of this curve and seed; always the same one. */
export function signingKey(curve: Curve, seed: string): SigningKey {
  return new SigningKey(curve, seed);
}

function derInteger(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  const padded = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...digits) : digits;
  return Uint8Array.of(0x02, padded.length, ...padded);
}
