import type { Did } from "../atproto/syntax.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { RegistryClient } from "../registry/client.ts";
import type { Endpoint } from "../registry/endpoints.ts";
import type { Gap, Pointer, Subject } from "../verify/evidence.ts";
import { ask, type CollectContext, gapOf, Missing } from "./context.ts";
import { type Listing, Repository } from "./repository.ts";

/** Candidates that are looked at (spec 3.1); stops many referrers from costing two requests each. */
const MAX_CANDIDATES = 32;
/** Candidates that are fetched at the same time. */
const PARALLEL = 8;
/** Mirrors that are asked before the registry itself; each may have a list of its own. */
const MAX_MIRRORS = 4;

/**
 * Looks for signatures in the registry that the image names, where containerd would ask for the image: at
 * its mirrors in their order, and at last at the registry itself (spec 3.1, 3.2). A mirror that fails or
 * lists no candidate hands over to the next.
 *
 * @param trusted whose signatures could help; candidates that name one of them come first
 * @param found is told each pointer and each gap as it turns up
 */
export async function searchRegistry(
  subject: Subject,
  trusted: ReadonlySet<Did>,
  context: CollectContext,
  found: (item: Pointer | Gap) => void,
): Promise<void> {
  const { all, problem } = context.registries.endpoints(subject.name);
  const server = all.at(-1) ?? all[0];
  const mirrors = all.slice(0, -1).slice(0, MAX_MIRRORS);
  const failures: string[] = problem === undefined ? [] : [problem];
  for (const mirror of mirrors) {
    // Instead of being asked again it hands over.
    const { place: repository, listing } = await listAt(mirror, subject, context, 1);
    if (listing.referrers.length > 0)
      return lookAt(listing, repository, repositoryAt(server, subject, context), subject, trusted, found);
    failures.push(...listing.gaps.map(({ message }) => message));
  }
  const { place: last, listing } = await listAt(server, subject, context);
  // Who was asked before, and did not help, is of interest only where the last one did not either.
  const gaps = listing.gaps.map((gap) => withFailures(gap, failures));
  await lookAt({ ...listing, gaps }, last, last, subject, trusted, found);
}

/** A repository, or why it is not asked. */
type Place = Repository | { readonly unusable: string };

function repositoryAt(endpoint: Endpoint, subject: Subject, context: CollectContext, attempts?: number): Place {
  if (endpoint.unusable !== undefined) return { unusable: endpoint.unusable };
  const { config, registries } = context;
  const client = new RegistryClient(endpoint, subject.name.path, {
    ask: async (request) => ask("registry", request, context, attempts),
    credentials: registries.credentials,
    realms: config.registryCredentials.realms,
    timeout: config.registryTimeout,
  });
  return new Repository(client, subject, context);
}

/** What an endpoint lists, and where that was; one that does not speak TLS is asked by http, where that may be. */
async function listAt(
  endpoint: Endpoint,
  subject: Subject,
  context: CollectContext,
  attempts?: number,
): Promise<{ readonly place: Place; readonly listing: Listing }> {
  const place = repositoryAt(endpoint, subject, context, attempts);
  if (!(place instanceof Repository)) {
    const gap = new Missing("registry.unreachable", `${endpoint.root} is not asked: ${place.unusable}`);
    return { place, listing: { referrers: [], complete: true, gaps: [gap] } };
  }
  const listing = await place.referrers();
  const speaksNoTls = listing.gaps.some(({ code }) => code === "net.tls");
  return endpoint.plain === undefined || !speaksNoTls
    ? { place, listing }
    : listAt(endpoint.plain, subject, context, attempts);
}

function withFailures(gap: Listing["gaps"][number], failures: readonly string[]): Listing["gaps"][number] {
  if (failures.length === 0) return gap;
  const answered = gap instanceof Missing && gap.answered;
  return new Missing(gap.code, [...failures, gap.message].join("; "), { cause: gap, answered });
}

async function lookAt(
  { referrers, complete, gaps }: Listing,
  place: Place,
  last: Place,
  subject: Subject,
  trusted: ReadonlySet<Did>,
  found: (item: Pointer | Gap) => void,
): Promise<void> {
  for (const gap of gaps) found(gapOf("registry", gap));
  if (!(place instanceof Repository)) return;
  const all = referrers.map((referrer) => ({ referrer, pointer: place.pointerOf(referrer) }));
  const helpful = firstOfEach(all.filter(({ pointer }) => pointer !== undefined && trusted.has(pointer.signer)));
  const unnamed = all.filter(({ pointer }) => pointer === undefined);
  const strangers = all.filter(({ pointer }) => pointer !== undefined && !trusted.has(pointer.signer));
  const ordered = [...helpful, ...unnamed, ...strangers];
  const candidates = ordered.slice(0, MAX_CANDIDATES);

  for (const { pointer } of candidates) if (pointer !== undefined) found(pointer);
  // With a trusted name in the list, what strangers put behind it hides nothing.
  const wanted = helpful.length === 0 ? ordered.length : helpful.length + unnamed.length;
  if (!complete || wanted > MAX_CANDIDATES) {
    const detail = `${subject.name.host} lists more than the ${candidates.length} referrers that were looked at`;
    found({ service: "registry", code: "registry.too_many_candidates", detail });
  }
  const fetched = candidates.filter(({ pointer }) => pointer === undefined).map(({ referrer }) => referrer);
  await examine(fetched, place, last, found);
}

/** A referrer's descriptor and whom it names by itself. */
interface Candidate {
  readonly referrer: Descriptor;
  readonly pointer: Pointer | undefined;
}

/** One candidate for each signer: many that name one signer must not hide another's. */
function firstOfEach(candidates: readonly Candidate[]): readonly Candidate[] {
  const bySigner = new Map<Did | undefined, Candidate>();
  for (const candidate of candidates) {
    const signer = candidate.pointer?.signer;
    if (!bySigner.has(signer)) bySigner.set(signer, candidate);
  }
  return [...bySigner.values()];
}

/** Fetches candidates, some at a time. One that cannot be used leaves a gap and does not stop the others. */
async function examine(
  candidates: readonly Descriptor[],
  place: Repository,
  last: Place,
  found: (item: Pointer | Gap) => void,
): Promise<void> {
  const waiting = [...candidates];
  const worker = async (): Promise<void> => {
    for (let candidate = waiting.shift(); candidate !== undefined; candidate = waiting.shift()) {
      try {
        const pointer = await examineOne(candidate, place, last);
        if (pointer !== undefined) found(pointer);
      } catch (error) {
        found(gapOf("registry", error));
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** What a mirror lists and does not have, the registry itself may have. */
async function examineOne(candidate: Descriptor, place: Repository, last: Place): Promise<Pointer | undefined> {
  try {
    return await place.examine(candidate);
  } catch (error) {
    if (!(error instanceof Missing) || !(last instanceof Repository) || last === place) throw error;
    return last.examine(candidate);
  }
}
