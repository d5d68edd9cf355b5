import {
  type AdmissionOutlook,
  admissionOutlook,
  type Gates,
  unreadableOutlook,
} from "../../../core/admission/admission-outlook.ts";
import { type ManifestObject, manifestObjects } from "../../../core/admission/manifest-objects.ts";
import type { Config } from "../../../core/config/config.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { imageFileText } from "../../../core/image-lists/find-images.ts";
import { type ImageReference, normaliseReference } from "../../../core/oci/reference.ts";
import { explain } from "../../../core/policy-tools/explain.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { atcrName } from "../../../core/verify/atcr-name.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";
import { STDIN_NAME } from "../../process/standard-input.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { folded, screenOf } from "../terminal/screen.ts";
import { readImageFile } from "../verify/image-files.ts";
import { type ExplainedName, explainedJson, explainedText, policyToExplain } from "./policy-explain.ts";

/** An image of a manifest, where it is named, and what is said of it. */
interface ExplainedImage {
  /** As it is written first. */
  readonly written: string;
  readonly places: readonly Place[];
  /** Absent where the name is none. */
  readonly asked?: ExplainedName;
  readonly admission: AdmissionOutlook;
}

interface Place {
  readonly object: ManifestObject;
  /** Of the image. */
  readonly line: number;
  /** RFC 6901. */
  readonly pointer: string;
}

/** `atcr-verify policy explain --pod FILE`: the same for each image of a manifest, and what admission says of its name. */
export async function policyExplainPod(
  { options }: LineOf<"policy explain">,
  path: string,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const file = path === "-" ? STDIN_NAME : path;
  if (path === "-" && options.policy === "-")
    reject("input.malformed", "--pod and --policy are both standard input, expected one of them");
  const objects = manifestObjects(imageFileText(await readImageFile("--pod", path, lifecycle.deadline), file), file);
  if (objects.every(({ images }) => images === undefined)) {
    const expected = "a Pod, or a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob or PodTemplate";
    reject("input.no_images", `${file}: found no object in which admission looks for images, expected ${expected}`);
  }
  const config = loadConfig(lifecycle.environment, options.config);
  const { policy, path: policyPath } = await policyToExplain(options.policy, config, lifecycle);
  const question = { policy, atcrHosts: config.atcrHosts, now: Date.now() };
  const gates = gatesOf(config);
  const images = joined(objects).map(({ written, places }): ExplainedImage => {
    let name: ImageReference;
    try {
      name = normaliseReference(written);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      return { written, places, admission: unreadableOutlook(error, policy) };
    }
    const explanation = explain(question, name, name.digest);
    const handle = atcrName(name, config.atcrHosts)?.handle;
    const asked = { written, name, path: policyPath, explanation, handle };
    return {
      written,
      places,
      asked,
      admission: admissionOutlook(name, explanation, { ...gates, isOfPod: places.some(isOfPod) }),
    };
  });
  const unknown = objects.filter((object) => object.images === undefined);
  return lifecycle.print(
    options.output === "json"
      ? jsonText(toJson(images, unknown, policyPath, file))
      : folded(toText(images, unknown, file), screenOf(lifecycle.environment)),
  );
}

/** Without a server's configuration: as integrations/kubernetes registers it. */
function gatesOf({ server }: Config): Pick<Gates, "tags" | "isPinning"> {
  if (server === undefined) return { tags: "refuse", isPinning: true };
  return { tags: server.tags, isPinning: server.listeners.some(({ gates }) => gates.includes("mutate")) };
}

function isOfPod({ object }: Place): boolean {
  return object.type === "v1/Pod" || object.type === "v1/EphemeralContainers";
}

/** Each image once, in the order of the file. */
function joined(objects: readonly ManifestObject[]): readonly Pick<ExplainedImage, "written" | "places">[] {
  const places = new Map<string, Place[]>();
  for (const object of objects) {
    for (const { image, pointer, line } of object.images ?? []) {
      const known = places.get(image) ?? [];
      known.push({ object, line, pointer });
      places.set(image, known);
    }
  }
  return [...places].map(([written, of]) => ({ written, places: of }));
}

const OUTCOMES: Readonly<Record<AdmissionOutlook["outcome"], string>> = {
  allowed: "admitted",
  refused: "refused",
  judged: "judged by evidence",
  audited: "admitted with a warning, as the policy only audits it",
};

function answerOf({ outcome, code, withoutMutate }: Omit<AdmissionOutlook, "because">): string {
  const answer = `${OUTCOMES[outcome]}${code === undefined ? "" : ` (${code})`}`;
  if (withoutMutate === undefined) return answer;
  return `${answer} once /mutate has pinned the tag; ${answerOf(withoutMutate)} where /mutate is not registered`;
}

function toText(images: readonly ExplainedImage[], unknown: readonly ManifestObject[], file: string): string {
  const blocks = images.map(({ written, places, asked, admission }) => {
    const { because } = admission;
    const lines = [
      `${written}, named by`,
      ...places.map(({ object, line, pointer }) => {
        return `  ${file}:${line}: ${called(object)} (from line ${object.line}) at ${pointer}`;
      }),
      `Admission: ${answerOf(admission)}`,
      ...because.map((sentence) => `  ${sentence}`),
    ];
    return `${lines.map((line) => `${printable(line)}\n`).join("")}${asked === undefined ? "" : explainedText(asked)}`;
  });
  const passed = unknown.map((object) => {
    const what = "admission looks for no image in it; pods that it leads to are judged when they are made";
    return printable(`${file}:${object.line}: ${called(object)}: ${what}`);
  });
  return [...blocks, ...(passed.length > 0 ? [`${passed.join("\n")}\n`] : [])].join("\n");
}

function called({ type, name }: ManifestObject): string {
  return `${type.replace(/^.*\//, "")}${name === undefined ? "" : ` ${name}`}`;
}

function toJson(images: readonly ExplainedImage[], unknown: readonly ManifestObject[], policy: string, file: string) {
  const objectJson = ({ type, name }: ManifestObject) => ({ type, ...(name !== undefined && { name }) });
  return {
    policy,
    images: images.map(({ written, places, asked, admission }) => ({
      ...(asked === undefined ? { written } : explainedJson(asked)),
      places: places.map(({ object, line, pointer }) => {
        return { file, line, ...objectJson(object), objectLine: object.line, pointer };
      }),
      admission,
    })),
    withoutImages: unknown.map((object) => ({ file, line: object.line, ...objectJson(object) })),
  };
}
