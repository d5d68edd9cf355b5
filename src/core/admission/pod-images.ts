import type { JsonObject } from "../encoding/json.ts";
import { malformed, objectIn, objectsIn, textIn } from "./read-fields.ts";

/** An image that an object names. */
export interface PodImage {
  /** As written; attacker-controlled. */
  readonly image: string;
  /** Its place in the object (RFC 6901): `/spec/containers/0/image`. */
  readonly pointer: string;
}

/** The same, with what it is compared by. */
export interface PlacedImage extends PodImage {
  /** The kind of list and the name in it: where an image is the same, nothing changed. */
  readonly place: string;
}

/**
 * Images of one object or request, however often each. Stops a body of one and a half MiB from asking for tens of
 * thousands; a pod has dozens.
 */
export const MAX_POD_IMAGES = 1000;

const CONTAINERS = ["initContainers", "containers", "ephemeralContainers"] as const;
const TEMPLATE = ["spec", "template", "spec"];

/** Where the pod's specification lies, by apiVersion and kind of the object (k8s.io/api core/v1, apps/v1, batch/v1). */
const SPECS: Readonly<Record<string, readonly string[]>> = {
  "v1/Pod": ["spec"],
  // What pods/ephemeralcontainers takes before Kubernetes 1.22: its list is at the top.
  "v1/EphemeralContainers": [],
  "v1/ReplicationController": TEMPLATE,
  "v1/PodTemplate": ["template", "spec"],
  "apps/v1/Deployment": TEMPLATE,
  "apps/v1/ReplicaSet": TEMPLATE,
  "apps/v1/StatefulSet": TEMPLATE,
  "apps/v1/DaemonSet": TEMPLATE,
  "batch/v1/Job": TEMPLATE,
  "batch/v1/CronJob": ["spec", "jobTemplate", ...TEMPLATE],
};

/** Kinds that run as they are. In a template an image may be empty: what makes pods of it fills it in. */
const COMPLETE: ReadonlySet<string> = new Set(["v1/Pod", "v1/EphemeralContainers"]);

/** Whether it is known where such an object names its images. */
export function isKnownKind(type: string): boolean {
  return Object.hasOwn(SPECS, type);
}

/**
 * All images of an object, in the order of its lists.
 *
 * @param object of that type
 * @param type `v1/Pod`, `apps/v1/Deployment`; a known one
 * @param path of the object, for messages
 * @throws Rejection input.malformed
 */
export function imagesOf(object: JsonObject, type: string, path: string): readonly PlacedImage[] {
  let [spec, at, pointer]: [JsonObject | undefined, string, string] = [object, path, ""];
  for (const step of SPECS[type] ?? malformed(`${path} is of an unknown kind`)) {
    spec = spec && objectIn(spec, step, at);
    at += `.${step}`;
    pointer += `/${step}`;
  }
  if (spec === undefined) return [];
  const found = new FoundImages(at, pointer, !COMPLETE.has(type));
  for (const list of CONTAINERS) found.addContainers(spec, list);
  if (type !== "v1/EphemeralContainers") found.addVolumes(spec);
  return found.images;
}

class FoundImages {
  readonly images: PlacedImage[] = [];
  readonly #path: string;
  readonly #pointer: string;
  readonly #mayBeEmpty: boolean;

  constructor(path: string, pointer: string, mayBeEmpty: boolean) {
    this.#path = path;
    this.#pointer = pointer;
    this.#mayBeEmpty = mayBeEmpty;
  }

  addContainers(spec: JsonObject, list: string): void {
    for (const [i, container] of objectsIn(spec, list, this.#path).entries()) {
      this.#add(container, "image", [list, textIn(container, "name", `${this.#path}.${list}[${i}]`)], `${list}/${i}`);
    }
  }

  /** Image volumes, from Kubernetes 1.31 on. */
  addVolumes(spec: JsonObject): void {
    for (const [i, volume] of objectsIn(spec, "volumes", this.#path).entries()) {
      const path = `${this.#path}.volumes[${i}]`;
      const source = objectIn(volume, "image", path);
      if (source === undefined) continue;
      this.#add(source, "reference", ["volumes", textIn(volume, "name", path)], `volumes/${i}/image`);
    }
  }

  #add(parent: JsonObject, key: string, place: readonly (string | undefined)[], steps: string): void {
    const path = `${this.#path}.${steps.replace(/\/(\d+)/, "[$1]").replace("/", ".")}`;
    const image = textIn(parent, key, path) ?? "";
    if (image === "" && this.#mayBeEmpty) return;
    if (image === "") malformed(`${path}.${key} is empty, expected an image`);
    if (this.images.length === MAX_POD_IMAGES) malformed(`${this.#path} names more than ${MAX_POD_IMAGES} images`);
    this.images.push({ image, pointer: `${this.#pointer}/${steps}/${key}`, place: JSON.stringify(place) });
  }
}
