import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import { ACCEPT_INDEX } from "./referrers.ts";
import { type Stored, storedJson } from "./stored.ts";

/**
 * Adds a referrer to the index at the fallback tag. Other entries stay as they are.
 *
 * @param bytes the index that is there; undefined: there is none
 * @param isReplaced which entries it replaces
 * @throws Rejection registry.bad_response where it is no index: it must not be overwritten
 */
export function listReferrer(
  bytes: Uint8Array | undefined,
  entry: Stored["descriptor"],
  isReplaced: (value: unknown) => boolean = () => false,
): Stored {
  const before = bytes === undefined ? {} : readIndex(bytes);
  const others = entriesOf(before).filter((value) => !isReplaced(value));
  return storedJson(ACCEPT_INDEX, {
    schemaVersion: 2,
    mediaType: ACCEPT_INDEX,
    ...before,
    manifests: [...others, entry],
  });
}

/** Whether an index lists all that another one lists, whatever the order. */
export function listsAllOf(bytes: Uint8Array | undefined, { bytes: wanted }: Stored): boolean {
  const listed = new Set(bytes === undefined ? [] : entriesOf(readIndex(bytes)).map((value) => JSON.stringify(value)));
  return entriesOf(readIndex(wanted)).every((value) => listed.has(JSON.stringify(value)));
}

function readIndex(bytes: Uint8Array): JsonObject {
  const what = "the index at the fallback tag";
  const index = parseJson(bytes, "registry.bad_response", what);
  if (!isJsonObject(index) || (field(index, "manifests") !== null && !Array.isArray(field(index, "manifests")))) {
    reject("registry.bad_response", `${what} is not an OCI index, so it is not replaced`);
  }
  return index;
}

function entriesOf(index: JsonObject): readonly unknown[] {
  const manifests = field(index, "manifests");
  return Array.isArray(manifests) ? manifests : [];
}
