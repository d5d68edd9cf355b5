import { field, isJsonObject, type JsonObject, parseJson } from "../../core/encoding/json.ts";
import type { Subject } from "../../core/evidence/evidence.ts";
import { subjectOf } from "../../core/evidence/subject.ts";
import { parseDigest } from "../../core/oci/digest.ts";
import { type Rejection, reject, rejectionOf } from "../../core/rejection.ts";

const DESCRIPTOR = "application/vnd.oci.descriptor.v1+json";
const WRAPPER = "application/vnd.containerd.image-verifier.input.v1+json";
/** Known flags; `operation` (pull or run) does not affect the verdict. */
const KNOWN = new Set(["name", "digest", "stdin-media-type", "operation"]);

/** containerd's flags as given (spec 1.1); attacker-controlled in part: the name comes from containerd's client. */
export interface Flags {
  readonly name?: string;
  readonly digest?: string;
  readonly mediaType?: string;
  /** Why they cannot be read. */
  readonly mistake?: Rejection;
}

/**
 * Reads containerd's flags. A mistake is returned and not thrown, because standard input must be read to its end before any
 * answer, and whatever is known of the image is logged.
 *
 * @returns undefined if there are none: then standard input holds the whole request
 */
export function readFlags(args: readonly string[]): Flags | undefined {
  if (args.length === 0) return undefined;
  const values = new Map<string, string>();
  const mistake = rejectionOf(() => readInto(values, args));
  const [name, digest, mediaType] = [values.get("name"), values.get("digest"), values.get("stdin-media-type")];
  return {
    ...(name !== undefined && { name }),
    ...(digest !== undefined && { digest }),
    ...(mediaType !== undefined && { mediaType }),
    ...(mistake && { mistake }),
  };
}

/**
 * Reads containerd's request (spec 1).
 *
 * @param stdin attacker-controlled in part: the registry chooses the media type
 * @throws Rejection input.*, image.malformed_reference
 */
export function readSubject(flags: Flags | undefined, stdin: Uint8Array): Subject {
  if (flags?.mistake !== undefined) throw flags.mistake;
  if (flags === undefined && stdin.length === 0) {
    reject("input.malformed", "found no arguments and nothing on the standard input; see atcr-verify --help");
  }
  const json = parseJson(stdin, "input.malformed", "the standard input");
  if (flags === undefined) return readPiped(json);

  const { name, digest, mediaType } = flags;
  if (name === undefined || digest === undefined || mediaType === undefined) {
    const missing = ["name", "digest", "stdin-media-type"].filter((_, i) => [name, digest, mediaType][i] === undefined);
    reject("input.malformed", `missing ${missing.map((flag) => `-${flag}`).join(", ")}, which containerd passes`);
  }
  return subjectOf(name, parseDigest(digest, "-digest"), readDescriptorOnStdin(json, mediaType));
}

/** Go's flag syntax: `-x=v` or `-x v`, one dash or two. */
function readInto(values: Map<string, string>, args: readonly string[]): void {
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--?([A-Za-z][^=]*)(?:=(.*))?$/s.exec(args[i] ?? "") ?? [];
    if (name === undefined) reject("input.malformed", `found the argument "${args[i] ?? ""}", expected a flag`);
    const next = args[i + 1];
    if (!KNOWN.has(name)) {
      // An unknown flag of a later containerd; it may have a value, which does not look like a flag.
      if (value === undefined && next !== undefined && !next.startsWith("-")) i++;
      continue;
    }
    if (values.has(name)) reject("input.malformed", `the flag -${name} is given twice`);
    const given = value ?? next;
    if (given === undefined || given === "") reject("input.malformed", `the flag -${name} has no value`);
    if (value === undefined) i++;
    values.set(name, given);
  }
}

function readDescriptorOnStdin(json: unknown, mediaType: string): JsonObject {
  switch (mediaType) {
    case DESCRIPTOR:
      return object(json, "the descriptor on stdin");
    case WRAPPER:
      return object(field(object(json, "the standard input"), "descriptor"), "descriptor on stdin");
    default:
      reject(
        "input.unsupported_media_type",
        `-stdin-media-type is "${mediaType}", expected ${DESCRIPTOR} or ${WRAPPER}`,
      );
  }
}

/** The form in ATCR's documentation: no flags, and the name next to the descriptor. */
function readPiped(json: unknown): Subject {
  const question = object(json, "the standard input");
  const name = field(question, "reference");
  if (typeof name !== "string") reject("input.malformed", "reference on stdin is not a string");
  const descriptor = object(field(question, "descriptor"), "descriptor on stdin");
  return subjectOf(name, undefined, descriptor);
}

function object(value: unknown, what: string): JsonObject {
  return isJsonObject(value) ? value : reject("input.malformed", `${what} is not a JSON object`);
}
