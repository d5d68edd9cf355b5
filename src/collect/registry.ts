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
import { ask, badStatus, type CollectContext, gapOf, hostOf, Missing } from "./context.ts";

/** Cap on a JSON document of a registry in bytes (spec 4). */
const MAX_JSON = 4 * 1024 * 1024;
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
  try {
    const { referrers, complete } = await registry.referrers();
    const named = referrers.map((referrer) => ({ referrer, pointer: registry.pointerOf(referrer) }));
    const first = named.filter(({ pointer }) => pointer !== undefined && trusted.has(pointer.signer));
    const candidates = [...first, ...named.filter((candidate) => !first.includes(candidate))].slice(0, MAX_CANDIDATES);

    const unnamed = candidates.filter(({ pointer }) => pointer === undefined).map(({ referrer }) => referrer);
    for (const { pointer } of candidates) if (pointer !== undefined) found(pointer);
    if ((!complete || named.length > candidates.length) && first.length === 0) {
      const detail = `${subject.name.host} lists more than ${candidates.length} referrers, and none of those names a trusted signer`;
      found({ service: "registry", code: "registry.too_many_candidates", detail });
    }
    await registry.examine(unnamed, found);
  } catch (error) {
    found(gapOf("registry", error));
  }
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

  /** The referrers that may be signatures; incomplete where there were more pages than are read. */
  async referrers(): Promise<{ referrers: readonly Descriptor[]; complete: boolean }> {
    const { digest } = this.#subject;
    let response = await this.#get(referrersPath(digest), ACCEPT_INDEX);
    if (NO_REFERRERS_API.has(response.status)) {
      response = await this.#get(fallbackTagPath(digest), ACCEPT_INDEX);
      if (response.status === 404) return { referrers: [], complete: true };
    }
    const referrers: Descriptor[] = [];
    for (let page = 1; ; page++) {
      if (response.status !== 200) this.#refused(response);
      referrers.push(...readReferrers(response.body));
      const next = nextPage(response.headers.get("link"));
      if (next === undefined) return { referrers, complete: true };
      if (page === MAX_PAGES) return { referrers, complete: false };
      response = await this.#get(this.#sameHost(next, response.url), ACCEPT_INDEX);
    }
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
    const response = await this.#get(url, `${ACCEPT_MANIFEST}, */*`);
    if (response.status !== 200) this.#refused(response);
    checkContent(response.body, descriptor, what);
    return response.body;
  }

  /** @param target a URL of this registry, or a path below the repository */
  async #get(target: string, accept: string): Promise<HttpResponse> {
    return ask(
      "registry",
      {
        url: new URL(target, `${this.#base}/`).href,
        accept,
        maxBytes: MAX_JSON,
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
