import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import type { Identity } from "./identity.ts";
import { parseLegacyKey, parseMultikey, type VerificationKey } from "./key.ts";
import { parsePdsEndpoint } from "./pds.ts";
import type { Service } from "./plc-operation.ts";
import type { Did } from "./syntax.ts";

/** Most entries looked at in a list of the document; stops a large one from costing time. */
const MAX_ENTRIES = 256;

/**
 * Reads a DID document as did:web serves it (spec 5.1): its `id` is the DID, and it has exactly one
 * `#atproto` verification method and one `#atproto_pds` service.
 *
 * @param bytes attacker-controlled JSON
 * @throws Rejection identity.invalid, identity.unsupported_key
 */
export function readDidDocument(did: Did, bytes: Uint8Array): Identity {
  const document = parseJson(bytes, "identity.invalid", "the DID document");
  if (!isJsonObject(document)) reject("identity.invalid", "the DID document is not a JSON object");
  const id = field(document, "id");
  if (id !== did) {
    reject(
      "identity.invalid",
      `the DID document is of ${typeof id === "string" ? `"${id}"` : "nobody"}, expected ${did}`,
    );
  }

  return {
    did,
    key: readKey(the(document, "verificationMethod", "#atproto", did)),
    formerKeys: new Set(),
    pds: readPds(the(document, "service", "#atproto_pds", did)),
    handles: readHandles(field(document, "alsoKnownAs")),
    services: readServices(document),
  };
}

/** The one entry of a list whose id is this fragment, written with or without the DID before it. */
function the(document: JsonObject, list: string, fragment: string, did: Did): JsonObject {
  const found = entries(field(document, list)).filter((entry) => {
    const id = field(entry, "id");
    return id === fragment || id === did + fragment;
  });
  const [entry] = found;
  if (entry === undefined || found.length > 1) {
    reject("identity.invalid", `the DID document has ${found.length} ${list} entries ${fragment}, expected 1`);
  }
  return entry;
}

function readKey(method: JsonObject): VerificationKey {
  const type = field(method, "type");
  const multibase = field(method, "publicKeyMultibase");
  if (typeof type !== "string" || typeof multibase !== "string") {
    reject("identity.invalid", "the #atproto verification method has no type or no publicKeyMultibase");
  }
  const key = type === "Multikey" ? parseMultikey(multibase) : parseLegacyKey(type, multibase);
  return key ?? reject("identity.unsupported_key", `the #atproto key of type ${type} is not a valid k256 or p256 key`);
}

function readPds(service: JsonObject): string {
  if (field(service, "type") !== "AtprotoPersonalDataServer") {
    reject("identity.invalid", "the #atproto_pds service is not of type AtprotoPersonalDataServer");
  }
  return parsePdsEndpoint(field(service, "serviceEndpoint"));
}

/** What services it declares; one without id or type is left out. */
function readServices(document: JsonObject): readonly Service[] {
  return entries(field(document, "service")).flatMap((entry) => {
    const [id, type] = [field(entry, "id"), field(entry, "type")];
    return typeof id === "string" && typeof type === "string" ? [{ id: id.slice(id.indexOf("#") + 1), type }] : [];
  });
}

/** Handles are claims for display and for spec 5.8; what is not `at://handle` is left out. */
export function readHandles(alsoKnownAs: unknown): readonly string[] {
  if (!Array.isArray(alsoKnownAs)) return [];
  return alsoKnownAs
    .slice(0, MAX_ENTRIES)
    .filter((alias): alias is string => typeof alias === "string" && alias.startsWith("at://"))
    .map((alias) => alias.slice("at://".length));
}

function entries(list: unknown): readonly JsonObject[] {
  if (!Array.isArray(list)) return [];
  if (list.length > MAX_ENTRIES) reject("identity.invalid", `the DID document lists more than ${MAX_ENTRIES} entries`);
  return list.filter(isJsonObject);
}
