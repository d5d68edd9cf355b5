import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import type { Identity } from "./identity.ts";
import { parseLegacyKey, parseMultikey, type VerificationKey } from "./key.ts";
import { parsePdsEndpoint } from "./pds.ts";
import type { Service } from "./plc-operation.ts";
import type { Did } from "./syntax.ts";

/** Most entries read from a list of the document; stops a large one from costing time. */
const MAX_ENTRIES = 256;
/** Verification methods `#atproto` that are tried; checking that a point is on its curve takes a millisecond. */
const MAX_METHODS = 8;

/**
 * Reads a DID document as did:web serves it (spec 5.1): its `id` is the DID. Of the `#atproto` verification methods
 * the first that holds a key counts, and of the `#atproto_pds` services the first of the right type; further ones are
 * ignored (https://atproto.com/specs/did).
 *
 * @param bytes attacker-controlled JSON
 * @throws Rejection identity.bad_response where it is not a JSON object, and so says nothing about the identity;
 * identity.invalid, identity.unsupported_key
 */
export function readDidDocument(did: Did, bytes: Uint8Array): Identity {
  const document = parseJson(bytes, "identity.bad_response", "the DID document");
  if (!isJsonObject(document)) reject("identity.bad_response", "the DID document is not a JSON object");
  const id = field(document, "id");
  if (id !== did) {
    reject(
      "identity.invalid",
      `the id of the DID document is ${typeof id === "string" ? `"${id}"` : "missing"}, expected ${did}`,
    );
  }

  return {
    did,
    key: readKey(named(document, "verificationMethod", "#atproto", did)),
    formerKeys: new Set(),
    pds: readPds(named(document, "service", "#atproto_pds", did)),
    handles: readHandles(field(document, "alsoKnownAs")),
    services: readServices(document),
  };
}

/** The entries of a list whose id is this fragment, with or without the DID before it; at least one. */
function named(document: JsonObject, list: string, fragment: string, did: Did): readonly JsonObject[] {
  const found = entries(field(document, list)).filter((entry) => {
    const id = field(entry, "id");
    return id === fragment || id === did + fragment;
  });
  if (found.length === 0) reject("identity.invalid", `the DID document has no ${list} entry ${fragment}`);
  return found;
}

/** The first valid key; without one, the problem of the first method. */
function readKey(methods: readonly JsonObject[]): VerificationKey {
  let typed: string | undefined;
  for (const method of methods.slice(0, MAX_METHODS)) {
    const [type, multibase] = [field(method, "type"), field(method, "publicKeyMultibase")];
    if (typeof type !== "string" || typeof multibase !== "string") continue;
    const key = type === "Multikey" ? parseMultikey(multibase) : parseLegacyKey(type, multibase);
    if (key !== undefined) return key;
    typed ??= type;
  }
  if (typed === undefined) {
    reject("identity.invalid", "the #atproto verification method has no type or no publicKeyMultibase");
  }
  reject("identity.unsupported_key", `the #atproto key of type ${typed} is not a valid k256 or p256 key`);
}

function readPds(services: readonly JsonObject[]): string {
  const service = services.find((one) => field(one, "type") === "AtprotoPersonalDataServer");
  if (service === undefined) {
    reject("identity.invalid", "the #atproto_pds service is not of type AtprotoPersonalDataServer");
  }
  return parsePdsEndpoint(field(service, "serviceEndpoint"));
}

/** The declared services; one without id or type is skipped. */
function readServices(document: JsonObject): readonly Service[] {
  return entries(field(document, "service")).flatMap((entry) => {
    const [id, type] = [field(entry, "id"), field(entry, "type")];
    return typeof id === "string" && typeof type === "string" ? [{ id: id.slice(id.indexOf("#") + 1), type }] : [];
  });
}

/** Handles are only claims, for display and for spec 5.8; entries other than `at://handle` are skipped. */
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
