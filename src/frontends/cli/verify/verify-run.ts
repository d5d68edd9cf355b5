import type { Subject } from "../../../core/evidence/evidence.ts";
import { type ImageReference, normaliseReference } from "../../../core/oci/reference.ts";
import type { Rule } from "../../../core/policy/policy.ts";
import { reject } from "../../../core/rejection.ts";
import { type Answer, failureOf } from "../../../core/verify/answer.ts";
import { isImageType } from "../../../core/verify/check-facts.ts";
import { enforce } from "../../../core/verify/enforce.ts";
import { Deadline } from "../../../io/process/deadline.ts";
import type { Inspection } from "../../../verifier/inspect/inspect-image.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import { RequestCounts } from "../../../verifier/service/exchanges.ts";
import { RequestLog } from "../../../verifier/service/request-log.ts";
import type { Resolved } from "../../../verifier/service/resolve-image.ts";
import type { Session } from "../../../verifier/service/session.ts";
import type { Verifier } from "../../../verifier/service/verifier.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { type ImageResult, type RequestedImage, statusOf, type Unjudged } from "./image-result.ts";
import { startReading, verifyImages } from "./index-images.ts";

/** Images verified at the same time: the services of others must not be flooded. */
const PARALLEL = 8;

const NO_POLICY: Unjudged = {
  outcome: "unjudged",
  code: "no_policy",
  detail: "no policy on this machine names a signer, and none was given, so nothing was verified",
};

/** An image while it is being verified. */
interface Pending extends Pick<ImageResult, "requested" | "reference"> {
  /** Known from the start where the name has a digest. */
  subject?: Subject;
  resolved?: Resolved | undefined;
  /** Why it cannot be verified at all. */
  readonly mistake?: Answer;
  /** The selected rule, which may audit what did not finish in time. */
  rule?: Rule;
  result?: ImageResult;
}

/** How images are verified. */
export interface RunSettings {
  readonly verifier: Verifier;
  /** Whether there is a policy to judge by. */
  readonly judges: boolean;
  /** Whether requests are recorded. */
  readonly verbose: boolean;
  /** Milliseconds for one image of several; a single image has the process's deadline. */
  readonly deadline: number;
  readonly allowAudited: boolean;
  /** Whether the digest is wanted even of an image that is allowed by its name alone. */
  readonly needsDigest: boolean;
  /** Verify the index's image for this platform, too; as `parsePlatform` writes it. */
  readonly platform?: string;
  /** Inspects an image that is not judged; absent where nobody may be asked. */
  readonly inspect?: (name: ImageReference, session: Session) => Promise<Inspection>;
  /** The time of the verification, if it is not now; milliseconds since 1970. */
  readonly now?: number;
}

/** Verifies the images of one command, and knows at any time what is known of each. */
export class VerifyRun {
  readonly isList: boolean;
  readonly #images: readonly Pending[];
  readonly #mediaType: string | undefined;
  /** Whether registries may be asked. */
  readonly #resolves: boolean;
  readonly #lifecycle: ProcessLifecycle;

  /** @param mediaType of the manifest, as --media-type says */
  constructor(
    requested: readonly RequestedImage[],
    { isList, mediaType, resolves }: { isList: boolean; mediaType: string | undefined; resolves: boolean },
    lifecycle: ProcessLifecycle,
  ) {
    this.isList = isList;
    this.#mediaType = mediaType;
    this.#resolves = resolves;
    this.#images = requested.map((one) => readImage(one, mediaType, resolves));
    this.#lifecycle = lifecycle;
  }

  /** Verifies all images, several at a time. A mistake in one is that image's result. */
  async verifyAll(settings: RunSettings): Promise<void> {
    const waiting = this.#images.values();
    const worker = async (): Promise<void> => {
      for (const image of waiting) image.result = await this.#verify(image, settings);
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  /** Whether each image has a result. */
  get isDone(): boolean {
    return this.#images.every(({ result }) => result !== undefined);
  }

  /** @param ended the answer for images without a result yet */
  results(allowAudited: boolean, ended?: Answer): readonly ImageResult[] {
    return this.#images.flatMap((image) => {
      if (image.result !== undefined) return [image.result];
      return ended === undefined ? [] : [resultOf(image, this.#inPlaceOf(image, ended), allowAudited)];
    });
  }

  /** What a mistake or the end of the process means for one image. */
  #inPlaceOf(image: Pending, ended: Answer): Answer {
    if (ended.outcome === "allow") return ended;
    return enforce(ended, { image: image.subject?.name, rule: image.rule });
  }

  async #verify(image: Pending, settings: RunSettings): Promise<ImageResult> {
    const { verifier, judges, allowAudited, verbose, needsDigest, platform, inspect } = settings;
    const { reference, mistake } = image;
    if (mistake !== undefined || reference === undefined) {
      return resultOf(image, mistake ?? NO_POLICY, allowAudited);
    }
    const requestLog = verbose ? new RequestLog(() => Date.now()) : undefined;
    const session = this.#sessionOf(image, settings, requestLog);
    const done = (answer: ImageResult["answer"], decision?: Decision): ImageResult => ({
      ...resultOf(image, answer, allowAudited),
      ...(decision && { decision }),
      ...(requestLog && { requests: requestLog.requests }),
    });
    try {
      if (!judges) {
        // Nobody is asked otherwise, so that the status does not depend on the output format.
        if (inspect === undefined) return done(NO_POLICY);
        const inspected = await inspect(reference, session);
        image.resolved = inspected.resolved;
        if (inspected.resolved !== undefined) {
          image.subject = resolvedSubject(reference, inspected.resolved, this.#mediaType);
        }
        return { ...done(NO_POLICY), inspected };
      }
      if (image.subject === undefined) {
        // Nobody is asked about an image that is decided by its name.
        const byName = verifier.decideByName(reference);
        if (byName !== undefined && !(needsDigest && byName.answer.outcome === "allow")) {
          return { ...done(byName.answer), ...(byName.rule && { rule: byName.rule }) };
        }
        image.resolved = await verifier.resolve(reference, session);
        image.subject = resolvedSubject(reference, image.resolved, this.#mediaType);
      }
      const { subject, resolved } = image;
      const asked = { verifier, subject, resolved, session };
      // In a list, showing the platforms would be one more request for each image.
      const wanted = { shows: !this.isList || verbose, platform, allowAudited };
      const reading = startReading(asked, wanted);
      const decision = await verifier.verify(subject, session);
      if (decision.error !== undefined) this.#lifecycle.diagnose(decision.error.stack ?? decision.error.message);
      const result = done(decision.answer, decision);
      if (!this.#resolves) return result;
      // What follows may last until the deadline, and changes no verdict.
      image.result = result;
      const { images, ...more } = await verifyImages(result, decision, reading, asked, wanted);
      return { ...result, ...more, ...(resolved && { resolved: { ...resolved, ...images } }) };
    } catch (error) {
      return done(failureOf(error));
    }
  }

  #sessionOf(image: Pending, { deadline, now }: RunSettings, requestLog: RequestLog | undefined): Session {
    return {
      ...sessionOf(this.#lifecycle),
      ...(this.isList && { deadline: new Deadline(performance.now() + deadline), requestCounts: new RequestCounts() }),
      ...(now !== undefined && { now: () => now }),
      ...(requestLog && { requestLog }),
      ...(image.requested.places && !image.requested.isTyped && { privateRegistry: "named by settings" as const }),
      ruleSelected: (rule) => {
        image.rule = rule;
      },
    };
  }
}

function resultOf(image: Pending, answer: ImageResult["answer"], allowAudited: boolean): ImageResult {
  const { requested, reference, subject, resolved } = image;
  return {
    requested,
    ...(reference && { reference }),
    ...(subject && { subject }),
    ...(resolved && { resolved }),
    answer,
    status: statusOf(answer, allowAudited),
  };
}

/** @param resolves whether a tag can be resolved; without a network, a name needs its digest */
function readImage(requested: RequestedImage, mediaType: string | undefined, resolves: boolean): Pending {
  let reference: ImageReference | undefined;
  try {
    assertCertain(requested);
    reference = normaliseReference(requested.text);
    const { digest, tag } = reference;
    if (digest === undefined && !resolves) {
      reject(
        "input.malformed",
        `"${requested.text}" has no digest, and --offline resolves no tag; write NAME@sha256:DIGEST`,
      );
    }
    // A tag beside the digest is taken as the tag that containerd would have pulled.
    const subject = digest && {
      name: reference,
      digest,
      ...(tag !== undefined && { tag }),
      ...(mediaType && { mediaType }),
    };
    return { requested, reference, ...(subject && { subject }) };
  } catch (error) {
    return { requested, ...(reference && { reference }), mistake: failureOf(error) };
  }
}

/** @throws Rejection input.malformed where a file does not say which image is meant */
function assertCertain({ text, problem, places }: RequestedImage): void {
  if (problem === undefined) return;
  const [place] = places ?? [];
  const where = place === undefined ? "" : `${place.file}:${place.line}: `;
  reject("input.malformed", `${where}the image ${JSON.stringify(text)} cannot be used: ${problem}`);
}

/** As containerd would pass it on. A registry may give no type, or an unspecific one; that is not compared. */
function resolvedSubject(reference: ImageReference, resolved: Resolved, named: string | undefined): Subject {
  const { digest, size } = resolved;
  const mediaType = named ?? resolved.mediaType;
  const tag = reference.tag ?? "latest";
  return {
    name: { ...reference, tag },
    digest,
    tag,
    ...(isImageType(mediaType) && { mediaType }),
    ...(size !== undefined && { size }),
  };
}
