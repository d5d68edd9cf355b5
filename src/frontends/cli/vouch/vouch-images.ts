import { formatReference } from "../../../core/oci/reference.ts";
import { reject } from "../../../core/rejection.ts";
import { failureOf } from "../../../core/verify/answer.ts";
import { childFor, childSubject } from "../../../verifier/service/index-children.ts";
import type { Session } from "../../../verifier/service/session.ts";
import type { Verifier } from "../../../verifier/service/verifier.ts";
import type { SignedImage } from "../../../verifier/vouch/vouch.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { type GatheredImage, type GatherSettings, gatherImages } from "../bundle/gather-images.ts";
import { auditedRefusal, codeOf, type ImageResult, nameOf, statusOf } from "../verify/image-result.ts";

/** An image of the command: signed by evidence of now, or why it is not vouched for. */
export type JudgedImage = {
  /** Printable, with its digest if that is known. */
  readonly name: string;
  /** The platform by which an index led to it. */
  readonly platform?: string;
} & ({ readonly signed: SignedImage } | { readonly code: string; readonly detail: string; readonly status: number });

/**
 * Verifies the images, and those of their indexes for the platforms, each for itself: over the network, without the cache,
 * without evidence from outside and without break-glass.
 *
 * @param platforms as `parsePlatform` writes them
 */
export async function judgeImages(
  texts: readonly string[],
  platforms: readonly string[],
  settings: GatherSettings,
  lifecycle: ProcessLifecycle,
): Promise<readonly JudgedImage[]> {
  const requested = [...new Set(texts)].map((text) => ({ text }));
  const { images, verifier } = await gatherImages(requested, settings, lifecycle);
  const named = images.map((image) => judgedOf(image));
  const unread: JudgedImage[] = [];
  const children: { readonly text: string; readonly platform: string }[] = [];
  const session = sessionOf(lifecycle);
  for (const one of named) {
    if (!("signed" in one) || platforms.length === 0) continue;
    try {
      children.push(...(await childrenOf(one.signed, platforms, verifier, session)));
    } catch (error) {
      const failure = failureOf(error);
      unread.push({ name: one.name, code: failure.code, detail: failure.detail, status: statusOf(failure, false) });
    }
  }
  const own = children.length === 0 ? [] : (await gatherImages(children, settings, lifecycle)).images;
  return distinct([...named, ...unread, ...own.map((image, i) => judgedOf(image, children[i]?.platform))]);
}

async function childrenOf(
  { subject }: SignedImage,
  platforms: readonly string[],
  verifier: Verifier,
  session: Session,
): Promise<readonly { readonly text: string; readonly platform: string }[]> {
  const { digest } = subject;
  const index = await verifier.resolve({ ...subject.name, digest }, session, { children: true });
  return platforms.map((platform) => {
    const child = childFor(platform, digest, index);
    if (child === undefined) reject("input.malformed", `${digest} is not an index, so --platform does not apply to it`);
    const { name } = childSubject(subject, child);
    return { text: formatReference({ ...name, digest: child.digest }), platform };
  });
}

/** Whether an image may be vouched for: it is signed, by evidence that was gathered now. */
export function judgedOf({ result, image }: GatheredImage, platform?: string): JudgedImage {
  const about = { name: nameOf(result), ...(platform !== undefined && { platform }) };
  const { answer, subject } = result;
  if (answer.outcome === "allow" && answer.because.kind === "signed" && subject !== undefined && image !== undefined) {
    return { ...about, signed: { subject, signatures: answer.because.signatures } };
  }
  return { ...about, ...refusalOfResult(result) };
}

/** Nothing but `signed` is vouched for, whatever else lets an image through here. */
function refusalOfResult({ answer }: ImageResult): { code: string; detail: string; status: number } {
  const code = codeOf(answer);
  const refusal = auditedRefusal(answer);
  if (answer.outcome !== "allow") return { code, detail: answer.detail, status: statusOf(answer, false) };
  if (refusal !== undefined) {
    const detail = `its rule only audits; under enforce: ${refusal.code}: ${refusal.detail}`;
    return { code, detail, status: statusOf(answer, false) };
  }
  const { because } = answer;
  if (because.kind === "signed") {
    return { code: "not_fresh", detail: "it is signed, but not all evidence is of this command", status: 2 };
  }
  const why = because.kind === "exempt" ? because.because : "break-glass is active";
  return { code, detail: `no signature was verified: ${why}`, status: 1 };
}

/** Each digest of a repository once. */
function distinct(all: readonly JudgedImage[]): readonly JudgedImage[] {
  const seen = new Set<string>();
  return all.filter((one) => {
    if (!("signed" in one)) return true;
    const { name, digest } = one.signed.subject;
    const key = `${name.host}/${name.path}@${digest}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
