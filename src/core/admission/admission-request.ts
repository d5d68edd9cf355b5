import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { printable } from "../encoding/printable.ts";
import { parseStrictJson } from "../encoding/strict-json.ts";
import { Rejection } from "../rejection.ts";
import { imagesOf, isKnownKind, type PodImage } from "./pod-images.ts";
import { checkType, flagIn, malformed, namespaceIn, objectIn, textIn } from "./read-fields.ts";

export const ADMISSION_VERSION = "admission.k8s.io/v1";
export const ADMISSION_KIND = "AdmissionReview";

/** The API server's question about one object. */
export interface AdmissionRequest {
  /** Printable, and at most {@link MAX_UID} characters. */
  readonly uid: string;
  /** Group, version and kind of the object: `v1/Pod`, `apps/v1/Deployment`. Printable. */
  readonly kind: string;
  /** `pods`, `deployments`. Printable. */
  readonly resource: string;
  readonly subResource?: string;
  readonly operation: Operation;
  /** A valid name of a namespace, from the API server; absent for an object without one. */
  readonly namespace?: string;
  /** Absent where the API server has yet to make one. Printable. */
  readonly name?: string;
  /** For people: `Pod web`, or `Pod web-7d4b9c6f5-` where the API server has yet to add to it. Printable. */
  readonly object: string;
  /** Printable. */
  readonly user: string;
  readonly dryRun: boolean;
  /** To be judged: those that an UPDATE leaves as they were are not among them. */
  readonly images: readonly PodImage[];
  /** Why nothing is judged: the request is allowed. */
  readonly skipped?: string;
  /** Why nothing can be judged: the request is refused. */
  readonly problem?: Rejection;
}

export type Operation = (typeof OPERATIONS)[number];

const OPERATIONS = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;
/** Subresources whose requests change no image that runs; the API server ignores the rest of their objects. */
const WITHOUT_IMAGES: ReadonlySet<string> = new Set(["status", "scale", "binding", "eviction"]);

/** Longest identifier of a request that is answered; the API server's has 36 characters. */
const MAX_UID = 128;
const UID = /^[\x21-\x7e]+$/;
/** Longest name, kind or user that is kept, characters: what is longer goes into logs cut. */
const MAX_LABEL = 253;

/**
 * Reads an AdmissionReview (admission.k8s.io/v1).
 *
 * @param bytes attacker-controlled in what the object holds; the caller has bounded their number
 * @returns with `problem` where the object cannot be judged, so that it can be answered by its uid
 * @throws Rejection input.malformed where this is no question of an API server
 */
export function parseAdmissionReview(bytes: Uint8Array): AdmissionRequest {
  const json = parseStrictJson(bytes, "input.malformed", "the AdmissionReview");
  const review = checkType(json, ADMISSION_VERSION, ADMISSION_KIND, "the request");
  const request = objectIn(review, "request", "AdmissionReview") ?? malformed("the AdmissionReview has no request");
  const known = identityOf(request);
  try {
    const skipped = skippedBy(request, known);
    if (skipped !== undefined) return { ...known, images: [], skipped };
    return { ...known, ...imagesToJudge(request, known) };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { ...known, images: [], problem: error };
  }
}

/** What is known of the request without its object. */
type Identity = Omit<AdmissionRequest, "images" | "skipped" | "problem">;

function identityOf(request: JsonObject): Identity {
  const uid = textIn(request, "uid", "request") ?? "";
  if (uid.length > MAX_UID || !UID.test(uid)) malformed(`request.uid is no text of 1 to ${MAX_UID} characters`);
  const operation = OPERATIONS.find((one) => one === field(request, "operation"));
  if (operation === undefined) malformed(`request.operation is not one of ${OPERATIONS.join(", ")}`);
  const namespace = namespaceIn(request, "request");
  const resource = objectIn(request, "resource", "request") ?? malformed("request.resource is missing");
  const name = label(textIn(request, "name", "request"));
  const subResource = label(textIn(request, "subResource", "request"));
  const user = objectIn(request, "userInfo", "request") ?? {};
  const kind = typeOf(objectIn(request, "kind", "request") ?? malformed("request.kind is missing"));
  return {
    uid,
    kind,
    resource: label(textIn(resource, "resource", "request.resource")),
    ...(subResource !== "" && { subResource }),
    operation,
    ...(namespace !== undefined && { namespace }),
    ...(name !== "" && { name }),
    object: label(`${kind.slice(kind.lastIndexOf("/") + 1)} ${name === "" ? nameIn(request) : name}`),
    user: label(textIn(user, "username", "request.userInfo")),
    dryRun: flagIn(request, "dryRun", "request"),
  };
}

/** What the object calls itself, if anything: that decides nothing, so it need not be well formed. */
function nameIn(request: JsonObject): string {
  const object = field(request, "object");
  const metadata = isJsonObject(object) ? field(object, "metadata") : undefined;
  const names = isJsonObject(metadata) ? ["name", "generateName"].map((key) => field(metadata, key)) : [];
  return names.find((one): one is string => typeof one === "string" && one !== "") ?? "without a name";
}

function typeOf(kind: JsonObject): string {
  const [group = "", version = "", name = ""] = ["group", "version", "kind"].map((key) =>
    textIn(kind, key, "request.kind"),
  );
  return label(`${group === "" ? "" : `${group}/`}${version}/${name}`);
}

function label(text = ""): string {
  return printable(text.slice(0, MAX_LABEL));
}

/** Why the object is not looked at; only what the API server says decides, nothing that a user can write. */
function skippedBy(request: JsonObject, { operation, subResource }: Identity): string | undefined {
  if (operation === "DELETE" || operation === "CONNECT") return `${operation} adds no image`;
  if (subResource !== undefined && WITHOUT_IMAGES.has(subResource))
    return `the subresource ${subResource} has no image`;
  if (operation !== "UPDATE") return undefined;
  const old = objectIn(request, "oldObject", "request");
  const metadata = old && objectIn(old, "metadata", "request.oldObject");
  // A user can write the time into a new object, and not into the one that the API server has stored.
  const deleted = metadata && textIn(metadata, "deletionTimestamp", "request.oldObject.metadata");
  return deleted === undefined || deleted === "" ? undefined : "the object is being deleted";
}

function imagesToJudge(request: JsonObject, known: Identity): Pick<AdmissionRequest, "images" | "skipped"> {
  const { kind, operation } = known;
  if (!isKnownKind(kind)) {
    malformed(
      `where an object of ${kind} (${known.resource}) would name an image is not known; take ${known.resource} out of the webhook's rules: pods, if it leads to any, are judged themselves`,
    );
  }
  const object = objectIn(request, "object", "request") ?? malformed("request.object is missing");
  const old = operation === "UPDATE" ? objectIn(request, "oldObject", "request") : undefined;
  const found = imagesIn(object, kind, "request.object");
  const before = new Set(old && imagesIn(old, kind, "request.oldObject").map(keyOf));
  const images = found.filter((one) => !before.has(keyOf(one))).map(({ image, pointer }) => ({ image, pointer }));
  if (images.length > 0) return { images };
  return { images, skipped: found.length === 0 ? "the object names no image" : "no image changed" };
}

function imagesIn(object: JsonObject, kind: string, path: string) {
  const slash = kind.lastIndexOf("/");
  return imagesOf(checkType(object, kind.slice(0, slash), kind.slice(slash + 1), path), kind, path);
}

function keyOf({ place, image }: { readonly place: string; readonly image: string }): string {
  return `${place} ${image}`;
}
