import type { Did } from "../atproto/syntax.ts";
import { plainHttpHost } from "../config/network-allow.ts";
import type { HttpResponse } from "../net/exchange.ts";
import { checkContent, readArtifact } from "../oci/artifact.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseHostPort } from "../oci/host.ts";
import { DOCKER_HUB } from "../oci/reference.ts";
import {
  ACCEPT_INDEX,
  fallbackTagPath,
  isSignatureType,
  nextPage,
  readReferrers,
  referrersPath,
} from "../oci/referrers.ts";
import type { Gap, Pointer, Subject } from "../verify/evidence.ts";
import { pointerFromAnnotations, pointerFromPayload } from "../verify/pointer.ts";
import { ask, badStatus, type CollectContext, gapOf, hostOf, Missing, stillInTime } from "./context.ts";

/** Cap on a page of referrers in bytes (spec 4): some thousands of them. */
const MAX_PAGE = 1024 * 1024;
/** Cap on a signature's manifest and payload in bytes: real ones have about a kilobyte, and anybody may attach one. */
const MAX_ARTIFACT = 64 * 1024;
/** Candidates that are looked at (spec 3.1); stops many referrers from costing two requests each. */
const MAX_CANDIDATES = 32;
/** Candidates that are fetched at the same time. */
const PARALLEL = 8;
/** Pages of referrers that are read; stops a list without end. */
const MAX_PAGES = 8;
const MAX_REDIRECTS = 5;
/** Statuses by which a registry says that it has no Referrers API (spec 3.1). */
const NO_REFERRERS_API: ReadonlySet<number> = new Set([404, 405, 501]);
const ACCEPT_MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/**
 * Looks for signatures in the registry that the image names (spec 3.1, 3.2).
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
  const registry = new Registry(subject, context);
  const { referrers, complete } = await registry.referrers(found);
  const all = referrers.map((referrer) => ({ referrer, pointer: registry.pointerOf(referrer) }));
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
  await registry.examine(fetched, found);
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

/** One repository of the registry, asked about one image. */
class Registry {
  readonly #subject: Subject;
  readonly #context: CollectContext;
  readonly #base: string;

  constructor(subject: Subject, context: CollectContext) {
    this.#subject = subject;
    this.#context = context;
    this.#base = `${originOf(subject.name.host, context)}/v2/${subject.name.path}`;
  }

  /**
   * The referrers that may be signatures; incomplete where there were more pages than are read. A page
   * that cannot be had leaves a gap, and those before it are looked at all the same.
   */
  async referrers(found: (gap: Gap) => void): Promise<{ referrers: readonly Descriptor[]; complete: boolean }> {
    const referrers: Descriptor[] = [];
    try {
      let response = await this.#firstPage();
      for (let page = 1; response !== undefined; page++) {
        if (response.status !== 200) this.#refused(response);
        stillInTime("the list of referrers", this.#context);
        const { candidates, unreadable } = readReferrers(response.body);
        referrers.push(...candidates);
        if (unreadable !== undefined) found(gapOf("registry", unreadable));
        const next = nextPage(response.headers.get("link"));
        if (next === undefined) break;
        if (page === MAX_PAGES) return { referrers, complete: false };
        response = await this.#get(this.#sameHost(next, response.url), ACCEPT_INDEX);
      }
    } catch (error) {
      found(gapOf("registry", error));
    }
    return { referrers, complete: true };
  }

  /** By the Referrers API, else the fallback tag; undefined where there is neither. */
  async #firstPage(): Promise<HttpResponse | undefined> {
    const { digest } = this.#subject;
    const response = await this.#get(referrersPath(digest), ACCEPT_INDEX);
    if (!NO_REFERRERS_API.has(response.status)) return response;
    const fallback = await this.#get(fallbackTagPath(digest), ACCEPT_INDEX);
    return fallback.status === 404 ? undefined : fallback;
  }

  /** What a referrer's descriptor says by itself, so that its manifest need not be fetched. */
  pointerOf(referrer: Descriptor): Pointer | undefined {
    if (!isSignatureType(referrer.artifactType)) return undefined;
    return pointerFromAnnotations(referrer.annotations, this.#manifestUrl(referrer), this.#subject.digest);
  }

  /** Fetches candidates, some at a time. One that cannot be used leaves a gap and does not stop the others. */
  async examine(candidates: readonly Descriptor[], found: (item: Pointer | Gap) => void): Promise<void> {
    const waiting = [...candidates];
    const worker = async (): Promise<void> => {
      for (let candidate = waiting.shift(); candidate !== undefined; candidate = waiting.shift()) {
        try {
          const pointer = await this.#examineOne(candidate);
          if (pointer !== undefined) found(pointer);
        } catch (error) {
          found(gapOf("registry", error));
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  async #examineOne(candidate: Descriptor): Promise<Pointer | undefined> {
    const { digest } = this.#subject;
    const url = this.#manifestUrl(candidate);
    const artifact = readArtifact(await this.#content(url, candidate, "a referrer's manifest"), digest);
    if (artifact === undefined) return undefined;
    const pointer = pointerFromAnnotations(artifact.annotations, url, digest);
    if (pointer !== undefined || artifact.payload === undefined) return pointer;

    const payloadUrl = `${this.#base}/blobs/${artifact.payload.digest}`;
    const payload = await this.#content(payloadUrl, artifact.payload, "a signature's payload");
    return pointerFromPayload(payload, payloadUrl, digest);
  }

  #manifestUrl({ digest }: Descriptor): string {
    return `${this.#base}/manifests/${digest}`;
  }

  async #content(url: string, descriptor: Descriptor, what: string): Promise<Uint8Array> {
    if (descriptor.size > MAX_ARTIFACT) {
      const detail = `${what} has ${descriptor.size} bytes, at most ${MAX_ARTIFACT} are read`;
      throw new Missing("registry.bad_response", detail);
    }
    const response = await this.#get(url, `${ACCEPT_MANIFEST}, */*`, MAX_ARTIFACT);
    if (response.status !== 200) this.#refused(response);
    stillInTime(what, this.#context);
    checkContent(response.body, descriptor, what);
    return response.body;
  }

  /** @param target a URL of this registry, or a path below the repository */
  async #get(target: string, accept: string, maxBytes = MAX_PAGE): Promise<HttpResponse> {
    return ask(
      "registry",
      {
        url: new URL(target, `${this.#base}/`).href,
        accept,
        maxBytes,
        timeout: this.#context.config.registryTimeout,
        maxRedirects: MAX_REDIRECTS,
        originMayBePrivate: true,
        purpose: "registry",
      },
      this.#context,
    );
  }

  #refused(response: HttpResponse): never {
    if (response.status === 401 || response.status === 403) {
      const detail = `${hostOf(response.url)} wants credentials (status ${response.status}), of which this version has none`;
      throw new Missing("registry.unauthorized", detail);
    }
    badStatus("registry", response);
  }

  /** The next page must be on the host that the image names (spec 3.1). */
  #sameHost(link: string, from: string): string {
    const next = URL.parse(link, from);
    if (next === null || next.origin !== new URL(this.#base).origin) {
      throw new Missing("registry.bad_response", `the list of referrers goes on at "${link}", on another host`);
    }
    return next.href;
  }
}

/** Where a registry host is asked: by https unless the administrator lists it as http. */
function originOf(host: string, { config }: CollectContext): string {
  if (host === DOCKER_HUB) return "https://registry-1.docker.io";
  const parsed = parseHostPort(host);
  const plain = typeof parsed !== "string" && config.network.plainHttp.includes(plainHttpHost(parsed));
  return `${plain ? "http" : "https"}://${host}`;
}
