import type { Subject } from "../../../core/evidence/evidence.ts";
import { isIndexType } from "../../../core/oci/image-index.ts";
import { Rejection } from "../../../core/rejection.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import { childFor, childSubject, findSignedChildren, isUnsigned } from "../../../verifier/service/index-children.ts";
import type { Resolved } from "../../../verifier/service/resolve-image.ts";
import type { Session } from "../../../verifier/service/session.ts";
import type { Verifier } from "../../../verifier/service/verifier.ts";
import { type ImageResult, statusOf } from "./image-result.ts";

/** The images of an index, or why they could not be read; neither for a single image. */
export type IndexImages = Pick<Resolved, "children" | "unread">;

/** What may be an index, and the means to ask about its images. */
interface Asked {
  readonly verifier: Verifier;
  readonly subject: Subject;
  /** Absent where the name had a digest: then its type is not known. */
  readonly resolved?: Resolved | undefined;
  readonly session: Session;
}

/** What is wanted of an index's images. */
interface Wanted {
  /** Show which platforms the index has. */
  readonly shows: boolean;
  /** Verify the image for this platform, too. */
  readonly platform: string | undefined;
  readonly allowAudited: boolean;
}

/**
 * Reads the images of an index beside its verification, if they are wanted whatever the verdict is. A failure is a part of the
 * result.
 */
export function startReading(asked: Asked, { shows, platform }: Wanted): Promise<IndexImages> | undefined {
  const isShown = shows && asked.resolved !== undefined && isIndexType(asked.resolved.mediaType);
  return isShown || platform !== undefined ? readImages(asked) : undefined;
}

/**
 * The image of the platform, verified for itself; and if nobody signed the index, its images that are signed. Neither changes
 * the verdict about the index.
 *
 * @param reading of {@link startReading}
 * @throws Rejection input.malformed where the index has no image for the platform, registry.bad_response where it could not be read
 */
export async function verifyImages(
  { requested, reference }: ImageResult,
  { answer }: Decision,
  reading: Promise<IndexImages> | undefined,
  asked: Asked,
  { platform, allowAudited }: Wanted,
): Promise<Pick<ImageResult, "platformImage" | "signedImages"> & { readonly images?: IndexImages }> {
  const { verifier, subject, resolved, session } = asked;
  const mayBeIndex = resolved === undefined || isIndexType(resolved.mediaType);
  const isExplained = isUnsigned(answer) && mayBeIndex;
  const images = await (reading ?? (isExplained ? readImages(asked) : undefined));
  if (images === undefined) return {};
  const child = platform === undefined ? undefined : childFor(platform, subject.digest, images);
  const own = child && childSubject(subject, child);
  const decision = own && (await verifier.verify(own, session));
  const signedImages = isExplained ? await findSignedChildren(verifier, subject, images.children ?? [], session) : [];
  return {
    images,
    ...(platform !== undefined &&
      decision && {
        platformImage: {
          requested,
          ...(reference && { reference }),
          platform,
          subject: decision.subject,
          decision,
          answer: decision.answer,
          status: statusOf(decision.answer, allowAudited),
        },
      }),
    ...(signedImages.length > 0 && { signedImages }),
  };
}

async function readImages({ verifier, subject, session }: Asked): Promise<IndexImages> {
  try {
    const name = { ...subject.name, digest: subject.digest };
    const { children, unread } = await verifier.resolve(name, session, { children: true });
    return { ...(children && { children }), ...(unread !== undefined && { unread }) };
  } catch (error) {
    if (error instanceof Rejection) return { unread: error.message };
    throw error;
  }
}
