import type { Did } from "../../core/atproto/syntax.ts";
import type { Gap, Pointer, Subject } from "../../core/evidence/evidence.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { type ArtifactType, SIGNATURE_TYPE } from "../../core/oci/referrers.ts";
import { Rejection } from "../../core/rejection.ts";
import type { Endpoint } from "../../io/registry/endpoints.ts";
import { type CollectContext, gapOf, type RegistryContext, UnavailableError } from "./context.ts";
import { type Listing, Repository } from "./referrers-client.ts";
import { type Limits, limitsAt, MAX_MIRRORS, plainInstead, registryClient } from "./registry-host.ts";

/** Candidates that are examined (spec 3.1); stops many referrers from costing two requests each. */
const MAX_CANDIDATES = 32;
/** Candidates that are fetched in parallel. */
const PARALLEL = 8;

/** Signers whose signatures count, and how many are needed. */
export interface ReferrerSearch {
  readonly signers: Pick<ReadonlySet<Did>, "has">;
  /** Number of signers the rule needs; once they are named, no further host is asked. */
  readonly enough: number;
}

/**
 * Looks for signatures where containerd would pull the image from: at the mirrors in their order, then at the
 * registry itself (spec 3.1, 3.2). Hosts are asked until enough trusted signers are named: other referrers at a mirror
 * do not end the search.
 *
 * @param found called with each pointer and each gap as it is found
 */
export async function searchRegistry(
  subject: Subject,
  wanted: ReferrerSearch,
  context: CollectContext,
  found: (item: Pointer | Gap) => void,
): Promise<void> {
  const { all, problems } = context.registries.endpoints(subject.name);
  const server = all.at(-1) ?? all[0];
  const mirrors = all.slice(0, -1).slice(0, MAX_MIRRORS);
  const search = new Search(subject, wanted, found);
  const missed: GapError[] = [];
  for (const [i, mirror] of mirrors.entries()) {
    const limits = limitsAt(i, mirrors.length, context.deadline);
    const { place, listing } = await listAt(mirror, subject, SIGNATURE_TYPE, context, limits);
    const gaps = await search.lookAt(listing, place);
    if (!search.isInvalidated) {
      missed.push(...gaps);
      continue;
    }
    await search.examine(search.left, repositoryAt(server, subject, SIGNATURE_TYPE, context));
    for (const gap of [...gaps, ...search.gaps]) found(gapOf("registry", gap));
    return;
  }
  const { place, listing } = await listAt(server, subject, SIGNATURE_TYPE, context);
  const isRead = listing.gaps.length === 0;
  // Failures of mirrors are reported only where the registry itself failed too.
  const before = missed.map(({ message }) => message);
  for (const gap of listing.gaps) found(gapOf("registry", withDetails(before, gap, problems)));
  const gaps = await search.lookAt({ ...listing, gaps: [] }, place, isRead ? search.left : []);
  for (const gap of [...gaps, ...search.gaps]) found(gapOf("registry", gap));
  const [first, ...more] = missed;
  if (first === undefined || !isRead || search.isInvalidated) return;
  const others = more.map(({ message }) => message);
  found(gapOf("registry", withDetails([], first, [...others, ...problems])));
}

type GapError = Listing["gaps"][number];

/** A repository, or why it is not contacted. */
type Place = Repository | { readonly unusable: string };

function repositoryAt(
  endpoint: Endpoint,
  subject: Subject,
  type: ArtifactType,
  context: RegistryContext,
  limits?: Limits,
): Place {
  if (endpoint.unusable !== undefined) return { unusable: endpoint.unusable };
  return new Repository(registryClient(endpoint, subject.name, context, limits), subject, type, context);
}

/** What an endpoint lists, and its repository; an endpoint without TLS is asked by http, if that is allowed. */
export async function listAt(
  endpoint: Endpoint,
  subject: Subject,
  type: ArtifactType,
  context: RegistryContext,
  limits?: Limits,
): Promise<{ readonly place: Place; readonly listing: Listing }> {
  const place = repositoryAt(endpoint, subject, type, context, limits);
  if (!(place instanceof Repository)) {
    const gap = new UnavailableError("registry.unreachable", `${endpoint.root} is not contacted: ${place.unusable}`);
    return { place, listing: { referrers: [], complete: true, gaps: [gap] } };
  }
  const listing = await place.referrers();
  const plain = plainInstead(endpoint, listing.gaps);
  return plain === undefined ? { place, listing } : listAt(plain, subject, type, context, limits);
}

/** The same gap, its message extended by earlier failures and by related problems. */
function withDetails(before: readonly string[], gap: GapError, behind: readonly string[]): GapError {
  if (before.length + behind.length === 0) return gap;
  const answered = gap instanceof UnavailableError && gap.answered;
  return new UnavailableError(gap.code, [...before, gap.message, ...behind].join("; "), { cause: gap, answered });
}

/** State of one search over several hosts. */
class Search {
  readonly #subject: Subject;
  readonly #wanted: ReferrerSearch;
  readonly #found: (item: Pointer | Gap) => void;
  /** Wanted signers that have been named. */
  readonly #named = new Set<Did>();
  /** Candidates already examined; the same digest has the same content everywhere. */
  readonly #known = new Set<Digest>();
  /** Candidates that could not be fetched so far, and why. */
  readonly #left = new Map<Digest, { readonly referrer: Descriptor; readonly gap: GapError }>();

  constructor(subject: Subject, wanted: ReferrerSearch, found: (item: Pointer | Gap) => void) {
    this.#subject = subject;
    this.#wanted = wanted;
    this.#found = found;
  }

  /** Whether enough signers are named. */
  get isInvalidated(): boolean {
    return this.#named.size >= this.#wanted.enough;
  }

  /** Candidates that could not be fetched so far; the registry itself may have what a mirror lacks. */
  get left(): readonly Descriptor[] {
    return [...this.#left.values()].map(({ referrer }) => referrer);
  }

  /** Why those that are {@link left} could not be fetched. */
  get gaps(): readonly GapError[] {
    return [...this.#left.values()].map(({ gap }) => gap);
  }

  /**
   * Examines the candidates that one host lists.
   *
   * @param others candidates that other hosts list
   * @returns gaps of the list itself
   */
  async lookAt(listing: Listing, place: Place, others: readonly Descriptor[] = []): Promise<readonly GapError[]> {
    if (!(place instanceof Repository)) return listing.gaps;
    const { signers } = this.#wanted;
    const own = new Set(listing.referrers.map(({ digest }) => digest));
    const listed = [...listing.referrers, ...others.filter(({ digest }) => !own.has(digest))];
    const all = listed.map((referrer) => ({ referrer, pointer: place.pointerOf(referrer) }));
    const helpful = firstOfEach(all.filter(({ pointer }) => pointer !== undefined && signers.has(pointer.signer)));
    const unnamed = all.filter(({ pointer, referrer }) => pointer === undefined && !this.#known.has(referrer.digest));
    const strangers = all.filter(({ pointer }) => pointer !== undefined && !signers.has(pointer.signer));
    const ordered = [...helpful, ...unnamed, ...strangers];
    const candidates = ordered.slice(0, MAX_CANDIDATES);

    for (const { pointer } of candidates) if (pointer !== undefined) this.#point(pointer);
    const unfetched = candidates.flatMap(({ pointer, referrer }) => (pointer === undefined ? [referrer] : []));
    await this.examine(unfetched, place);
    // Once a trusted signer is listed, untrusted entries that were cut off hide nothing.
    const most = helpful.length === 0 ? ordered.length : helpful.length + unnamed.length;
    if (listing.complete && most <= MAX_CANDIDATES) return listing.gaps;
    const detail = `${this.#subject.name.host} lists more referrers than the ${candidates.length} that were checked`;
    return [...listing.gaps, new UnavailableError("registry.too_many_candidates", detail)];
  }

  /** Fetches candidates in parallel, at most {@link MAX_CANDIDATES} per host. A failure does not affect the others. */
  async examine(candidates: readonly Descriptor[], place: Place): Promise<void> {
    if (!(place instanceof Repository)) return;
    const waiting = candidates.slice(0, MAX_CANDIDATES);
    const worker = async (): Promise<void> => {
      for (let referrer = waiting.shift(); referrer !== undefined; referrer = waiting.shift()) {
        const { digest } = referrer;
        try {
          const pointer = await place.examine(referrer);
          this.#known.add(digest);
          this.#left.delete(digest);
          if (pointer !== undefined) this.#point(pointer);
        } catch (error) {
          if (!(error instanceof UnavailableError || error instanceof Rejection)) throw error;
          this.#left.set(digest, { referrer, gap: error });
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  #point(pointer: Pointer): void {
    if (this.#wanted.signers.has(pointer.signer)) this.#named.add(pointer.signer);
    this.#found(pointer);
  }
}

/** A referrer's descriptor, and the signer that it names. */
interface Candidate {
  readonly referrer: Descriptor;
  readonly pointer: Pointer | undefined;
}

/** One candidate per signer: many for one signer must not hide another's. */
function firstOfEach(candidates: readonly Candidate[]): readonly Candidate[] {
  const bySigner = new Map<Did | undefined, Candidate>();
  for (const candidate of candidates) {
    const signer = candidate.pointer?.signer;
    if (!bySigner.has(signer)) bySigner.set(signer, candidate);
  }
  return [...bySigner.values()];
}
