import type { Subject } from "../../../core/evidence/evidence.ts";
import type { IndexChild } from "../../../core/oci/image-index.ts";
import { Rejection } from "../../../core/rejection.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import { childFor, childSubject, findSignedChildren, isUnsigned } from "../../../verifier/service/index-children.ts";
import type { Resolved } from "../../../verifier/service/resolve-image.ts";
import type { Session } from "../../../verifier/service/session.ts";
import type { Verifier } from "../../../verifier/service/verifier.ts";
import { type ImageResult, statusOf } from "./image-result.ts";

/** What is known of the images of an index, beside the verdict about the index. */
type Found = Pick<ImageResult, "platformImage" | "signedImages">;

interface Asked {
  readonly verifier: Verifier;
  readonly subject: Subject;
  /** With the images of an index, if they were read already. */
  readonly resolved?: Resolved | undefined;
  readonly session: Session;
}

/**
 * The image of `--platform`, before anything is verified: an index that lacks it is a mistake.
 *
 * @returns undefined where the name stands for a single image
 * @throws Rejection input.malformed, registry.*
 */
export async function imageFor(platform: string, asked: Asked): Promise<IndexChild | undefined> {
  return childFor(platform, await imagesOf(asked));
}

/** Verifies that image, too. The verdict about the index stays the one that counts. */
export async function verifyImageOf(
  child: IndexChild,
  { requested, reference }: ImageResult,
  { verifier, subject, session }: Asked,
  allowAudited: boolean,
): Promise<Found> {
  const own = childSubject(subject, child);
  const decision = await verifier.verify(own, session);
  const { answer } = decision;
  const status = statusOf(answer, allowAudited);
  return {
    platformImage: {
      platform: child.platform ?? "",
      requested,
      ...(reference && { reference }),
      subject: own,
      decision,
      answer,
      status,
    },
  };
}

/** If nobody signed the index: its images that are signed. What cannot be read is left out, as it changes no verdict. */
export async function explainUnsigned({ answer }: Decision, asked: Asked): Promise<Found> {
  if (!isUnsigned(answer)) return {};
  try {
    const { children = [] } = await imagesOf(asked);
    const signedImages = await findSignedChildren(asked.verifier, asked.subject, children, asked.session);
    return signedImages.length === 0 ? {} : { signedImages };
  } catch (error) {
    if (error instanceof Rejection) return {};
    throw error;
  }
}

async function imagesOf({ verifier, subject, resolved, session }: Asked): Promise<Resolved> {
  if (resolved?.children !== undefined || resolved?.unread !== undefined) return resolved;
  const name = { ...subject.name, digest: subject.digest };
  return verifier.resolve(name, session, { children: true });
}
