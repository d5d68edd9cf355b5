import { createHash } from "node:crypto";
import { BlockMap } from "@atproto/repo";
import { type DocumentForm, didDocument } from "./did-document.ts";
import { SigningKey, signingKey } from "./signing-key.ts";

/** An operation before or after it is signed. Plain objects, so that tests can build invalid ones. */
export type Operation = Record<string, unknown>;
export type SignedOperation = Operation & { readonly sig: string };

/** One entry of the directory's `GET /DID/log/audit`. */
export interface AuditEntry {
  readonly did: string;
  readonly operation: SignedOperation;
  readonly cid: string;
  readonly nullified: boolean;
  /** ISO 8601; claimed by the directory. */
  readonly createdAt: string;
}

export interface PlcState {
  /** The first has the highest priority. */
  readonly rotationKeys: readonly (SigningKey | string)[];
  readonly signingKey: SigningKey;
  readonly handle: string;
  /** Origin of the PDS. */
  readonly pds: string;
}

/** How an operation is signed; everything but `low-S` is a fault. */
export type SignatureForm = "low-S" | "high-S" | "der" | "padded" | "pad-bits" | "standard-base64" | "truncated";

// --- raw building blocks --------------------------------------------------------------------

/** Canonical DAG-CBOR of the value and its CID, by the reference encoder. */
export async function encodeOperation(operation: Operation): Promise<{ bytes: Uint8Array; cid: string }> {
  const blocks = new BlockMap();
  const cid = await blocks.add(operation as Parameters<BlockMap["add"]>[0]);
  const bytes = blocks.get(cid);
  if (bytes === undefined) throw new Error("the reference encoder lost a block");
  return { bytes, cid: cid.toString() };
}

/** Adds `sig` over the canonical encoding of the operation without it. */
export async function signOperation(
  operation: Operation,
  key: SigningKey,
  form: SignatureForm = "low-S",
): Promise<SignedOperation> {
  const { sig: _, ...unsigned } = operation;
  const { bytes } = await encodeOperation(unsigned);
  return { ...unsigned, sig: await signatureText(bytes, key, form) };
}

/** `did:plc:` and the first 24 base32 characters of SHA-256 over the signed genesis operation. */
export async function didOfGenesis(genesis: SignedOperation): Promise<string> {
  const { bytes } = await encodeOperation(genesis);
  return `did:plc:${base32(createHash("sha256").update(bytes).digest()).slice(0, 24)}`;
}

/** An unsigned `plc_operation`. */
export function plcOperation(state: PlcState, prev: string | null): Operation {
  return {
    type: "plc_operation",
    rotationKeys: state.rotationKeys.map(didKey),
    verificationMethods: { atproto: state.signingKey.did() },
    alsoKnownAs: [`at://${state.handle}`],
    services: { atproto_pds: { type: "AtprotoPersonalDataServer", endpoint: state.pds } },
    prev,
  };
}

/** An unsigned legacy `create`; its rotation keys are [recoveryKey, signingKey] (spec 5.1). */
export function legacyCreate(state: PlcState): Operation {
  const [recovery] = state.rotationKeys;
  if (recovery === undefined) throw new Error("a legacy create needs its recovery key as first rotation key");
  return {
    type: "create",
    signingKey: state.signingKey.did(),
    recoveryKey: didKey(recovery),
    handle: state.handle,
    service: state.pds,
    prev: null,
  };
}

/** An unsigned `plc_tombstone`. */
export function plcTombstone(prev: string): Operation {
  return { type: "plc_tombstone", prev };
}

/** A log entry around any signed operation, valid or not. `at` in milliseconds since 1970. */
export async function auditEntry(
  did: string,
  operation: SignedOperation,
  at: number,
  nullified = false,
): Promise<AuditEntry> {
  const { cid } = await encodeOperation(operation);
  return { did, operation, cid, nullified, createdAt: new Date(at).toISOString() };
}

// --- a log ----------------------------------------------------------------------------------

export interface AppendOptions {
  readonly at: number;
  /** Default: the first rotation key of the operation named by `prev`. */
  readonly signer?: SigningKey;
  /** Index of the previous operation; default: the newest valid one. An older one makes a fork. */
  readonly after?: number;
  readonly form?: SignatureForm;
  /** Changes the operation before it is signed: other `prev`, unknown fields, missing fields. */
  readonly edit?: (operation: Operation) => Operation;
}

/**
 * A directory's log for one DID. Nothing is checked: what a directory would refuse is appended all
 * the same, and marked as a directory would mark it (a fork nullifies all operations after its `prev`).
 */
export class PlcLog {
  readonly did: string;
  readonly #entries: { entry: AuditEntry; state: PlcState | undefined }[];

  private constructor(did: string, first: AuditEntry, state: PlcState) {
    this.did = did;
    this.#entries = [{ entry: first, state }];
  }

  /** A log that begins with a `plc_operation`. */
  static async create(state: PlcState, options: AppendOptions): Promise<PlcLog> {
    return PlcLog.#begin(plcOperation(state, null), state, options);
  }

  /** A log that begins with a legacy `create`, signed by its signing key by default. */
  static async createLegacy(state: PlcState, options: AppendOptions): Promise<PlcLog> {
    const [recovery] = state.rotationKeys;
    const rotationKeys = recovery === undefined ? [] : [recovery, state.signingKey];
    const signer = options.signer ?? state.signingKey;
    return PlcLog.#begin(legacyCreate(state), { ...state, rotationKeys }, { ...options, signer });
  }

  static async #begin(unsigned: Operation, state: PlcState, options: AppendOptions): Promise<PlcLog> {
    const operation = await sign(unsigned, state, options);
    const did = await didOfGenesis(operation);
    return new PlcLog(did, await auditEntry(did, operation, options.at), state);
  }

  /** The current state; undefined under a tombstone. */
  get state(): PlcState | undefined {
    return this.#entries[this.#newest()]?.state;
  }

  /** Appends a `plc_operation` that changes the given parts of the state. */
  async update(changes: Partial<PlcState>, options: AppendOptions): Promise<AuditEntry> {
    const base = this.#base(options);
    const state = { ...base.state, ...changes };
    return this.#append(plcOperation(state, base.cid), state, base, options);
  }

  /** Appends a `plc_tombstone`. */
  async tombstone(options: AppendOptions): Promise<AuditEntry> {
    const base = this.#base(options);
    return this.#append(plcTombstone(base.cid), undefined, base, options);
  }

  /** A copy of the log as `/log/audit` serves it, in order of arrival. */
  entries(): AuditEntry[] {
    return this.#entries.map(({ entry }) => structuredClone(entry));
  }

  /** UTF-8 of {@link entries} as JSON: the body of `/log/audit`. */
  bytes(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.entries()));
  }

  /** The DID document that follows from the log; undefined under a tombstone. */
  document(form: DocumentForm = "multikey"): Record<string, unknown> | undefined {
    const { state } = this;
    if (state === undefined) return undefined;
    return didDocument({ did: this.did, handles: [state.handle], key: state.signingKey, pds: state.pds, form });
  }

  #newest(): number {
    return this.#entries.findLastIndex(({ entry }) => !entry.nullified);
  }

  #base(options: AppendOptions): { index: number; cid: string; state: PlcState } {
    const index = options.after ?? this.#newest();
    const found = this.#entries[index];
    if (found === undefined) throw new Error(`the log has no operation ${index}`);
    // An operation on top of a tombstone is invalid, but can be built: on the state before it.
    const state = found.state ?? this.#entries.slice(0, index).findLast((earlier) => earlier.state)?.state;
    if (state === undefined) throw new Error("the log has no state to build on");
    return { index, cid: found.entry.cid, state };
  }

  async #append(
    unsigned: Operation,
    state: PlcState | undefined,
    base: { index: number; state: PlcState },
    options: AppendOptions,
  ): Promise<AuditEntry> {
    const operation = await sign(unsigned, base.state, options);
    for (const later of this.#entries.slice(base.index + 1)) later.entry = { ...later.entry, nullified: true };
    const entry = await auditEntry(this.did, operation, options.at);
    this.#entries.push({ entry, state });
    return entry;
  }
}

async function sign(unsigned: Operation, state: PlcState, options: AppendOptions): Promise<SignedOperation> {
  const signer = options.signer ?? state.rotationKeys.find((key) => key instanceof SigningKey);
  if (signer === undefined) throw new Error("none of the rotation keys can sign");
  return signOperation(options.edit?.(unsigned) ?? unsigned, signer, options.form);
}

async function signatureText(message: Uint8Array, key: SigningKey, form: SignatureForm): Promise<string> {
  const low = Buffer.from(await key.sign(message));
  switch (form) {
    case "low-S":
      return low.toString("base64url");
    case "high-S":
      return Buffer.from(await key.signHighS(message)).toString("base64url");
    case "der":
      return Buffer.from(await key.signDer(message)).toString("base64url");
    case "padded":
      return `${low.toString("base64url")}==`;
    case "pad-bits":
      // 64 bytes end in a character of which four bits are unused: set one of them.
      return withPadBit(low.toString("base64url"));
    case "standard-base64":
      return low.toString("base64");
    case "truncated":
      return low.subarray(0, 63).toString("base64url");
  }
}

function withPadBit(text: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.slice(-1)) + 1];
}

function didKey(key: SigningKey | string): string {
  return typeof key === "string" ? key : key.did();
}

function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? [])
    .map((five) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(five, 2)])
    .join("");
}

/** A log of one operation with this many rotation keys, each slow to check; the last of them signed. */
export async function manyKeys(name: string, at: number, count: number): Promise<PlcLog> {
  const keys = Array.from({ length: count }, (_, i) => signingKey("p256", `slow ${i}`));
  const signer = keys.at(-1) as SigningKey;
  const pds = "https://pds.example";
  return PlcLog.create({ rotationKeys: keys, signingKey: signer, handle: `${name}.test`, pds }, { at, signer });
}
