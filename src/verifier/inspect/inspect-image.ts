import { type Handle, isHandle } from "../../core/atproto/handle.ts";
import { type Did, isDid } from "../../core/atproto/syntax.ts";
import type { Gap, Pointer } from "../../core/evidence/evidence.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { ImageReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import { atcrName } from "../../core/verify/atcr-name.ts";
import type { CollectContext } from "../collect/context.ts";
import { searchRegistry } from "../collect/discover-referrers.ts";
import { findOwner, type HandleFound } from "../service/look-up-identity.ts";
import { type Resolved, resolveImage } from "../service/resolve-image.ts";
import { type Claimed, ClaimedSigners, type ClaimSource } from "./claimed-signers.ts";
import { inspectSigner, type SignerFound, type Sought } from "./inspect-signer.ts";

/** Signers that a user may name: with the owner of the handle, they can all be asked at the same time. */
export const MAX_GIVEN = 7;
/** Part of the remaining time for the registry's answer about the tag, and for a signer that only the registry names. */
const SHARE = 1 / 2;
/** Milliseconds after the deadline in which what timed out is still noted. */
const GRACE = 100;
/** The tag that a name without tag and digest stands for. */
const LATEST = "latest";
/** All signers are of interest, however many are named. */
const EVERYBODY = { signers: { has: () => true }, enough: Number.POSITIVE_INFINITY };

/** An image to inspect. */
export interface InspectRequest {
  readonly name: ImageReference;
  /** Signers that the user names; at most {@link MAX_GIVEN}. */
  readonly given: readonly (Did | Handle)[];
}

/** A claimed signer, and what was found; nothing where there was no time. */
export type InspectedSigner = Claimed<SignerFound>;
export type { ClaimSource } from "./claimed-signers.ts";

/** Everything claimed and proven about an image's signers. Nothing of it is judged. */
export interface Inspection {
  readonly name: ImageReference;
  /** The tag that was looked at; absent for a digest without one. */
  readonly tag?: string;
  /** In the name, or what the registry resolved the tag to; absent where it did not. */
  readonly digest?: Digest;
  readonly resolved?: Resolved;
  /** Why the tag was not resolved: then each signer's own record of the tag says what it means to them. */
  readonly unresolved?: Rejection;
  /** The owner of the handle in the image's name, on a host where names begin with one. */
  readonly owner?: HandleFound;
  /** Handles that the user named and that lead to nobody. */
  readonly unknown: readonly HandleFound[];
  /** Those who were asked: named by the image or the user first. */
  readonly signers: readonly InspectedSigner[];
  /** Signers that the registry names and that were not asked. */
  readonly notAsked: readonly Did[];
  /** Why the registry's list of referrers may be incomplete. */
  readonly gaps: readonly Gap[];
  /** When it ended: milliseconds since 1970. */
  readonly now: number;
}

/**
 * Looks at everybody who may have signed the image: the owner of the handle in its name, the signers that the user names, and those
 * that the registry's referrers name. This is the only place where servers are asked that a stranger has named. They are
 * asked within the bounds of {@link ClaimedSigners}, under one deadline, at addresses that the guard permits, and nothing of
 * it is kept.
 *
 * @param context without this node's stores: a stranger must not be able to fill them
 */
export async function inspectImage(request: InspectRequest, context: CollectContext): Promise<Inspection> {
  const { name, given } = request;
  const atcr = atcrName(name, context.config.atcrHosts);
  const handle = atcr !== undefined && isHandle(atcr.handle) ? atcr.handle : undefined;
  const tag = name.tag ?? (name.digest === undefined ? LATEST : undefined);
  const found: Pick<Inspection, "owner" | "resolved" | "unresolved"> & { digest?: Digest } = {};
  const [unknown, gaps]: [HandleFound[], Gap[]] = [[], []];

  const resolving = digestOf(request, context).then((answer) => Object.assign(found, answer));
  const sought = resolving.then(
    ({ digest }): Sought => ({
      ...(digest && { digest }),
      ...(tag && { tag }),
      ...(atcr && { repository: atcr.repository }),
    }),
  );
  const signers = new ClaimedSigners((handle === undefined ? 0 : 1) + given.length, (did, isStranger) =>
    inspectSigner(did, sought, isStranger ? sharing(context) : context),
  );
  const nameOwner = async (named: Handle, source: ClaimSource): Promise<HandleFound> => {
    const answer = await findOwner(named, context);
    if ("missing" in answer || answer.did === undefined) signers.giveBack();
    else signers.name(answer.did, source);
    return answer;
  };
  const askOwner = async (): Promise<void> => {
    if (handle === undefined) return;
    Object.assign(found, { owner: await nameOwner(handle, { kind: "owner", handle }) });
  };
  const askGiven = async (text: Did | Handle): Promise<void> => {
    const source = { kind: "given", text } as const;
    if (isDid(text)) return signers.name(text, source);
    const answer = await nameOwner(text, source);
    if ("missing" in answer || answer.did === undefined) unknown.push(answer);
  };
  const askRegistry = async (): Promise<void> => {
    const { digest } = await resolving;
    if (digest === undefined) return;
    await searchRegistry({ name, digest }, EVERYBODY, context, (item) => {
      if ("code" in item) gaps.push(item);
      else signers.claim(item.signer, sourceOf(item));
    });
  };
  const work = Promise.all([askOwner(), ...given.map(askGiven), askRegistry()]).then(() => signers.settled());
  await inTime(work, context);
  const { asked, notAsked } = signers;
  return { name, ...(tag && { tag }), ...found, unknown, signers: asked, notAsked, gaps, now: context.now() };
}

async function digestOf(
  { name }: InspectRequest,
  context: CollectContext,
): Promise<Pick<Inspection, "digest" | "resolved" | "unresolved">> {
  if (name.digest !== undefined) return { digest: name.digest };
  try {
    const resolved = await resolveImage(name, sharing(context));
    return { digest: resolved.digest, resolved };
  } catch (error) {
    if (error instanceof Rejection) return { unresolved: error };
    throw error;
  }
}

function sourceOf({ url, note }: Pointer): ClaimSource {
  return { kind: "referrer", url, ...(note !== undefined && { note }) };
}

function sharing(context: CollectContext): CollectContext {
  const { deadline } = context;
  return { ...context, deadline: deadline.earlier(deadline.remaining() * (1 - SHARE)) };
}

/** Ends with the deadline, whatever still runs: what was found until then is the result. */
async function inTime(work: Promise<void>, { deadline }: CollectContext): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadline.remaining() + GRACE);
  });
  try {
    await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
