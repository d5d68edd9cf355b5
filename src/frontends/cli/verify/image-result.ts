import { printable } from "../../../core/encoding/printable.ts";
import type { Subject } from "../../../core/evidence/evidence.ts";
import { formatReference, type ImageReference } from "../../../core/oci/reference.ts";
import type { Decider } from "../../../core/policy/policy.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import type { Refusal } from "../../../core/verify/verdict.ts";
import type { Warning } from "../../../core/warning.ts";
import type { Inspection } from "../../../verifier/inspect/inspect-image.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import type { SignedChild } from "../../../verifier/service/index-children.ts";
import type { RecordedRequest } from "../../../verifier/service/request-log.ts";
import type { Resolved } from "../../../verifier/service/resolve-image.ts";
import { exitCode } from "../../process/exit-status.ts";
import { reasonLine } from "../../process/report.ts";

/** What was asked for: the text of an operand, or of one place or more in files. */
export interface RequestedImage {
  /** As written; it may come from others. */
  readonly text: string;
  /** Where files name it; absent for an operand. */
  readonly places?: readonly { readonly file: string; readonly line: number }[];
  /** Whether it is an operand. Its registry may then have a private address, even if a file names the image too. */
  readonly isTyped?: true;
  /** Why a file's text does not say which image is meant: `it contains a variable; …`. */
  readonly problem?: string;
}

/** What was found in one file of --file. */
export interface FoundInFile {
  readonly file: string;
  /** Places that name an image. */
  readonly images: number;
  /** How many of them there are of each kind: `manifest`, `FROM`, `values`. */
  readonly kinds: readonly { readonly kind: string; readonly images: number }[];
  /** What could be taken for an image and is none, if there is any: `schemas`, `stages`. */
  readonly passedOver: readonly { readonly what: string; readonly count: number }[];
}

/**
 * Nothing was judged because no policy names a signer, and none was given. Only this command has it: it is no answer of
 * the verifier, and never an allow.
 */
export interface Unjudged {
  readonly outcome: "unjudged";
  readonly code: "no_policy";
  readonly detail: string;
}

/** One image of `verify`, with all that the output formats need. */
export interface ImageResult {
  readonly requested: RequestedImage;
  /** Absent where the text is not a name. */
  readonly reference?: ImageReference;
  /** Absent where the digest is not known. */
  readonly subject?: Subject;
  /** What a tag was resolved to, once: the digest is what is judged. Absent where the name had a digest. */
  readonly resolved?: Resolved;
  /** Absent where nothing was verified, or where the command ended before. */
  readonly decision?: Decision;
  readonly answer: Answer | Unjudged;
  /** What decided, where it decided by the name alone; else {@link Decision.rule}. */
  readonly rule?: Decider;
  /** Under --platform, the image of an index for it, verified for itself: the verdict about the index is what counts. */
  readonly platformImage?: ImageResult & { readonly platform: string };
  /** Signed images of an index that nobody signed; only where there are any. */
  readonly signedImages?: readonly SignedChild[];
  /** Exit status of this image alone. */
  readonly status: number;
  /** Under --verbose. */
  readonly requests?: readonly RecordedRequest[];
  /** What `inspect` finds of an image that was not judged. */
  readonly inspected?: Inspection;
}

/** What concerns all images of one run. */
export interface Summary {
  readonly status: number;
  /** Whether a list was asked for: several operands, or a file. */
  readonly isList: boolean;
  /** Why the command ended before there was a result for each image: a mistake, a signal, the deadline. */
  readonly ended?: Answer;
  /** The policy that was used; absent without one. */
  readonly policy?: { readonly path: string; readonly sha256: string };
  /** The DIDs of --signer, each with what was typed. */
  readonly signers: readonly { readonly asked: string; readonly did: string }[];
  readonly found: readonly FoundInFile[];
  readonly allowAudited: boolean;
  readonly verbose: boolean;
  /** All warnings so far; they were printed on standard error, too. */
  readonly warnings: readonly Warning[];
}

/** An output format. Its text goes to standard output as it is. */
export type Report = (results: readonly ImageResult[], summary: Summary) => string;

export const EXIT_STATUS_UNJUDGED = 5;
/** In several images, the first of these that occurs is the exit status. */
const ORDER = [4, 3, 1, 2, EXIT_STATUS_UNJUDGED, 0] as const;

/** Exit status of one image: an audited refusal is one, unless the caller accepts it. */
export function statusOf(answer: Answer | Unjudged, allowAudited: boolean): number {
  if (answer.outcome === "unjudged") return EXIT_STATUS_UNJUDGED;
  const would = allowAudited ? undefined : auditedRefusal(answer);
  return exitCode(would ?? answer);
}

/** Exit status of several images; 3 for none. */
export function statusOfAll(statuses: readonly number[]): number {
  return ORDER.find((status) => statuses.includes(status)) ?? 3;
}

/** The refusal that an audited image would get under enforce. */
export function auditedRefusal(answer: Answer | Unjudged): Refusal | undefined {
  return answer.outcome === "allow" && answer.because.kind === "audited" ? answer.because.would : undefined;
}

/** Whether a trusted signature was verified: not so for an image that is exempt, audited, or allowed by break-glass. */
export function isVerified({ answer }: ImageResult): boolean {
  return answer.outcome === "allow" && answer.because.kind === "signed";
}

/** `signed`, `record.absent`, `no_policy`. */
export function codeOf(answer: Answer | Unjudged): string {
  return answer.outcome === "allow" ? answer.because.kind : answer.code;
}

/** The image as it was asked for, in full where it could be read; printable. */
export function nameOf({ subject, reference, requested }: ImageResult): string {
  const name = subject === undefined ? reference : { ...subject.name, digest: subject.digest };
  return printable(name === undefined ? requested.text : formatReference(name));
}

/** The first line of a report, printable. */
export function headlineOf(answer: Answer | Unjudged): string {
  return answer.outcome === "unjudged" ? `unjudged ${answer.code}: ${answer.detail}` : reasonLine(answer).trimEnd();
}

/** A signed image of an index that nobody signed; may hold the text of others. */
export function signedImageNote({ platform, digest, signers }: SignedChild): string {
  return `${platform ?? "its"} image ${digest} IS signed by ${signers.join(", ")}; the index is not`;
}

/**
 * What is known of the images of an index, for reports that have a line for each; may hold the text of others. None begins like
 * an allow: the index decides.
 */
export function indexNotes({ platformImage, signedImages = [] }: ImageResult): readonly string[] {
  const notes = signedImages.map(signedImageNote);
  if (platformImage === undefined) return notes;
  const found = isVerified(platformImage) ? "verified" : headlineOf(platformImage.answer);
  return [`${platformImage.platform} image ${nameOf(platformImage)}: ${found}`, ...notes];
}
