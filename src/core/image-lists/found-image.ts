import { reject } from "../rejection.ts";

/** Where in its file an image is named. */
export type ImageKind =
  | "manifest"
  | "image volume"
  | "values"
  | "compose"
  | "YAML"
  | "FROM"
  | "COPY --from"
  | "RUN --mount"
  | "syntax"
  | "list";

/** An image as a file names it. */
export interface FoundImage {
  /** As written, or composed of the parts that a map has; at most {@link MAX_IMAGE_TEXT} characters. Attacker-controlled. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  readonly kind: ImageKind;
  /**
   * Why it is not known which image this is, and what to do: `it contains a variable; …`. Such an image is a
   * mistake of the file, and never skipped. Absent: whether the text is a reference is for the caller to see.
   */
  readonly problem?: string;
}

/**
 * How often something was seen that could be taken for an image and is none: schemas of CustomResourceDefinitions, the status of a Pod, maps under
 * `image:` with nothing but how to pull, a Dockerfile's own stages, and `FROM scratch`.
 */
export type PassedOver = Readonly<Record<"schemas" | "statuses" | "pullSettings" | "stages" | "scratch", number>>;

export interface FoundImages {
  /** In the order of the file; one that is named twice is there twice. */
  readonly images: readonly FoundImage[];
  readonly passedOver: PassedOver;
}

/** Longest text of an image that is kept: longer than any valid name. Stops one line of 16 MiB from being repeated. */
export const MAX_IMAGE_TEXT = 1024;
/** Images of one file. Stops a small file of short names from making the caller verify without end. */
export const MAX_IMAGES = 100_000;

/** Gathers what a reader of one kind of file finds. */
export class ImageCollector {
  readonly images: FoundImage[] = [];
  readonly #passedOver = { schemas: 0, statuses: 0, pullSettings: 0, stages: 0, scratch: 0 };

  /**
   * @param known the problem, if the reader knows one; variables, templates and emptiness are seen here
   * @throws Rejection input.malformed where a file has too many
   */
  add(text: string, line: number, kind: ImageKind, known?: string): void {
    const problem = known ?? problemOf(text, kind);
    if (this.images.length >= MAX_IMAGES) {
      reject("input.malformed", `found more than ${MAX_IMAGES} images in one file, expected a smaller file; split it`);
    }
    const shown = text.length > MAX_IMAGE_TEXT ? text.slice(0, MAX_IMAGE_TEXT) : text;
    this.images.push({ text: shown, line, kind, ...(problem !== undefined && { problem }) });
  }

  passOver(what: keyof PassedOver): void {
    this.#passedOver[what]++;
  }

  get found(): FoundImages {
    return { images: this.images, passedOver: { ...this.#passedOver } };
  }
}

function problemOf(text: string, kind: ImageKind): string | undefined {
  if (text.length > MAX_IMAGE_TEXT) return `it has ${text.length} characters, expected at most ${MAX_IMAGE_TEXT}`;
  if (text.trim() === "") return "it is empty, expected an image such as docker.io/library/nginx:1.27";
  if (text.includes("{{")) {
    return "it contains a template; render the file first: helm template CHART | atcr-verify -f -";
  }
  if (!text.includes("$")) return undefined;
  return kind === "compose"
    ? "it contains a variable; resolve it first: docker compose config | atcr-verify -f -"
    : "it contains a variable, expected the image itself; resolve it first";
}
