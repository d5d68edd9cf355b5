import { fromBase64url } from "../encoding/bytes.ts";
import { type Cid, cidOf } from "../encoding/cid.ts";
import { type DagCbor, encodeDagCbor } from "../encoding/dag-cbor.ts";
import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { reject } from "../rejection.ts";

/** One operation of a did:plc log, converted to the current format (spec 5.1). */
export interface PlcOperation {
  readonly cid: Cid;
  /** CID of the previous operation, as text; null for a genesis operation. */
  readonly prev: string | null;
  /** The canonical bytes without `sig`: what is signed. */
  readonly signedBytes: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  /** Content of the operation; undefined for a tombstone. */
  readonly state: PlcState | undefined;
}

export interface PlcState {
  /** did:key texts, most powerful first. Duplicate and unreadable ones occur in real logs. */
  readonly rotationKeys: readonly string[];
  /** did:key text of `#atproto`, if there is one. */
  readonly signingKey: string | undefined;
  /** Endpoint of `#atproto_pds`, if there is one of the right type. */
  readonly pds: string | undefined;
  readonly alsoKnownAs: readonly string[];
  readonly services: readonly Service[];
}

/** A service that an identity declares. */
export interface Service {
  /** Without the leading `#`. */
  readonly id: string;
  readonly type: string;
}

const SIGNATURE_LENGTH = 64;
/** Length of its base64url, checked first: decoding a text as long as a log allows would take half a second. */
const SIGNATURE_TEXT = 86;
const [PDS_ID, PDS_TYPE] = ["atproto_pds", "AtprotoPersonalDataServer"];
const FIELDS = {
  plc_operation: ["type", "rotationKeys", "verificationMethods", "alsoKnownAs", "services", "prev", "sig"],
  create: ["type", "signingKey", "recoveryKey", "handle", "service", "prev", "sig"],
  plc_tombstone: ["type", "prev", "sig"],
} as const;

/**
 * Reads one operation strictly: exactly the fields of its type, so that everything that was signed is hashed and
 * checked.
 *
 * @param operation attacker-controlled JSON
 * @param what names the operation in messages
 * @throws Rejection identity.log_invalid
 */
export function readPlcOperation(operation: unknown, what: string): PlcOperation {
  if (!isJsonObject(operation)) reject("identity.log_invalid", `${what} is not a JSON object`);
  const state = readState(operation, what);
  const prev = field(operation, "prev");
  if (prev !== null && typeof prev !== "string")
    reject("identity.log_invalid", `prev of ${what} is neither CID nor null`);
  const sig = string(operation, "sig", what);
  const signature = sig.length === SIGNATURE_TEXT ? fromBase64url(sig) : undefined;
  if (signature?.length !== SIGNATURE_LENGTH) {
    reject("identity.log_invalid", `sig of ${what} is not the strict base64url of ${SIGNATURE_LENGTH} bytes`);
  }

  const signed = toDagCbor(operation, what);
  const unsigned = new Map([...signed].filter(([name]) => name !== "sig"));
  return {
    cid: cidOf("dag-cbor", encodeDagCbor(signed)),
    prev,
    signedBytes: encodeDagCbor(unsigned),
    signature,
    state,
  };
}

function readState(operation: JsonObject, what: string): PlcState | undefined {
  const type = field(operation, "type");
  switch (type) {
    case "plc_operation": {
      onlyFields(operation, FIELDS.plc_operation, what);
      const methods = stringMap(operation, "verificationMethods", what);
      return {
        rotationKeys: strings(operation, "rotationKeys", what),
        signingKey: methods.get("atproto"),
        ...readServices(operation, what),
        alsoKnownAs: strings(operation, "alsoKnownAs", what),
      };
    }
    case "create": {
      onlyFields(operation, FIELDS.create, what);
      // The legacy form exists only for genesis operations.
      if (field(operation, "prev") !== null) reject("identity.log_invalid", `prev of ${what}, a create, is not null`);
      const signingKey = string(operation, "signingKey", what);
      const service = string(operation, "service", what);
      const handle = string(operation, "handle", what);
      return {
        rotationKeys: [string(operation, "recoveryKey", what), signingKey],
        signingKey,
        // The legacy form allowed bare hosts and handles; the directory accepts them.
        pds: /^https?:\/\//.test(service) ? service : `https://${service}`,
        services: [{ id: PDS_ID, type: PDS_TYPE }],
        alsoKnownAs: [`at://${handle.replace(/^(?:at|https?):\/\//, "")}`],
      };
    }
    case "plc_tombstone":
      onlyFields(operation, FIELDS.plc_tombstone, what);
      return undefined;
    default:
      reject(
        "identity.log_invalid",
        `${what} is of unknown type ${typeof type === "string" ? `"${type}"` : typeof type}`,
      );
  }
}

function readServices(operation: JsonObject, what: string): Pick<PlcState, "pds" | "services"> {
  const services: Service[] = [];
  let pds: string | undefined;
  for (const [id, service] of Object.entries(object(operation, "services", what))) {
    if (!isJsonObject(service)) reject("identity.log_invalid", `service ${id} of ${what} is not an object`);
    onlyFields(service, ["type", "endpoint"], `service ${id} of ${what}`);
    const type = string(service, "type", what);
    const endpoint = string(service, "endpoint", what);
    if (id === PDS_ID && type === PDS_TYPE) pds = endpoint;
    services.push({ id, type });
  }
  return { pds, services };
}

function onlyFields(value: JsonObject, allowed: readonly string[], what: string): void {
  const unknown = Object.keys(value).find((name) => !allowed.includes(name));
  if (unknown !== undefined) reject("identity.log_invalid", `${what} has the unknown field "${unknown}"`);
}

function string(value: JsonObject, name: string, what: string): string {
  const found = field(value, name);
  return typeof found === "string" ? found : reject("identity.log_invalid", `${name} of ${what} is not a string`);
}

function strings(value: JsonObject, name: string, what: string): readonly string[] {
  const found = field(value, name);
  if (!Array.isArray(found) || !found.every((item) => typeof item === "string")) {
    reject("identity.log_invalid", `${name} of ${what} is not a list of strings`);
  }
  return found;
}

function object(value: JsonObject, name: string, what: string): JsonObject {
  const found = field(value, name);
  return isJsonObject(found) ? found : reject("identity.log_invalid", `${name} of ${what} is not an object`);
}

function stringMap(value: JsonObject, name: string, what: string): ReadonlyMap<string, string> {
  const found = object(value, name, what);
  return new Map(Object.keys(found).map((key) => [key, string(found, key, `${name} of ${what}`)]));
}

/** After {@link readState}, an operation contains only strings, null, lists and objects. */
function toDagCbor(value: JsonObject, what: string): ReadonlyMap<string, DagCbor> {
  return new Map(Object.entries(value).map(([name, item]) => [wellFormed(name, what), itemToDagCbor(item, what)]));
}

function itemToDagCbor(item: unknown, what: string): DagCbor {
  if (isJsonObject(item)) return toDagCbor(item, what);
  if (Array.isArray(item)) return item.map((one: unknown) => itemToDagCbor(one, what));
  return typeof item === "string" ? wellFormed(item, what) : null;
}

/** JSON can contain half a surrogate pair, which has no UTF-8 form and would be hashed as U+FFFD. */
function wellFormed(text: string, what: string): string {
  return text.isWellFormed() ? text : reject("identity.log_invalid", `${what} contains half a surrogate pair`);
}
