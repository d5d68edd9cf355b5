import type { HttpResponse } from "../net/exchange.ts";
import { checkContent, readArtifact } from "../oci/artifact.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import {
  ACCEPT_INDEX,
  fallbackTagPath,
  isSignatureType,
  isSubjectItself,
  nextPage,
  readReferrers,
  referrersPath,
} from "../oci/referrers.ts";
import type { RegistryAnswer, RegistryClient } from "../registry/client.ts";
import { Rejection } from "../rejection.ts";
import type { Pointer, Subject } from "../verify/evidence.ts";
import { pointerFromAnnotations, pointerFromPayload } from "../verify/pointer.ts";
import { badStatus, type CollectContext, hostOf, Missing, stillInTime } from "./context.ts";

/** Cap on a page of referrers in bytes (spec 4): some thousands of them. */
const MAX_PAGE = 1024 * 1024;
/** Cap on a signature's manifest and payload in bytes: real ones have about a kilobyte, and anybody may attach one. */
const MAX_ARTIFACT = 64 * 1024;
/** Pages of referrers that are read; stops a list without end. */
const MAX_PAGES = 8;
const MAX_REDIRECTS = 5;
/**
 * Statuses by which a registry says that it has no Referrers API (spec 3.1): 404, 405 and 501; Artifactory
 * says 406, and Quay 400 of a digest for which it has none.
 */
const NO_REFERRERS_API: ReadonlySet<number> = new Set([400, 404, 405, 406, 501]);
const ACCEPT_MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** What a registry lists, as far as it could be read. */
export interface Listing {
  readonly referrers: readonly Descriptor[];
  /** Whether there were no more pages than are read. */
  readonly complete: boolean;
  /** Why a page could not be had, or a descriptor not be read; the others stand. */
  readonly gaps: readonly (Missing | Rejection)[];
}

/** One repository at one endpoint, asked about one image. */
export class Repository {
  readonly #client: RegistryClient;
  readonly #subject: Subject;
  readonly #context: CollectContext;

  constructor(client: RegistryClient, subject: Subject, context: CollectContext) {
    this.#client = client;
    this.#subject = subject;
    this.#context = context;
  }

  /**
   * The referrers that may be signatures; incomplete where there were more pages than are read. A page
   * that cannot be had leaves a gap, and those before it are looked at all the same.
   */
  async referrers(): Promise<Listing> {
    const referrers: Descriptor[] = [];
    const gaps: (Missing | Rejection)[] = [];
    try {
      let answer = await this.#firstPage();
      for (let page = 1; answer !== undefined; page++) {
        const response = this.#accepted(answer);
        stillInTime("the list of referrers", this.#context);
        const { candidates, unreadable } = readReferrers(response.body);
        referrers.push(...candidates);
        if (unreadable !== undefined) gaps.push(unreadable);
        const next = nextPage(response.headers.get("link"));
        if (next === undefined) break;
        if (page === MAX_PAGES) return { referrers, complete: false, gaps };
        answer = await this.#get(this.#sameHost(next, response.url), ACCEPT_INDEX);
      }
    } catch (error) {
      if (!(error instanceof Missing || error instanceof Rejection)) throw error;
      gaps.push(error);
    }
    return { referrers, complete: true, gaps };
  }

  /** By the Referrers API, else the fallback tag; undefined where there is neither. */
  async #firstPage(): Promise<RegistryAnswer | undefined> {
    const { digest } = this.#subject;
    const answer = await this.#get(this.#client.urlOf(referrersPath(digest)), ACCEPT_INDEX);
    const { status, headers } = answer.response;
    // Harbor before 2.8 answers 401 for an API that it does not have, and says not how to authenticate.
    const isUnknown = status === 401 && !headers.has("www-authenticate");
    if (!NO_REFERRERS_API.has(status) && !isUnknown) return answer;
    const fallback = await this.#get(this.#client.urlOf(fallbackTagPath(digest)), ACCEPT_INDEX);
    if (fallback.response.status === 404) return undefined;
    // GitLab takes the tag for the digest, and answers with the image.
    return isSubjectItself(fallback.response.body, digest) ? undefined : fallback;
  }

  /** What a referrer's descriptor says by itself, so that its manifest need not be fetched. */
  pointerOf(referrer: Descriptor): Pointer | undefined {
    if (!isSignatureType(referrer.artifactType)) return undefined;
    return pointerFromAnnotations(referrer.annotations, this.#manifestUrl(referrer), this.#subject.digest);
  }

  /**
   * Looks into a candidate whose descriptor names nobody.
   *
   * @throws Missing, Rejection where it cannot be used
   */
  async examine(candidate: Descriptor): Promise<Pointer | undefined> {
    const { digest } = this.#subject;
    const url = this.#manifestUrl(candidate);
    const artifact = readArtifact(await this.#content(url, candidate, "a referrer's manifest"), digest);
    if (artifact === undefined) return undefined;
    const pointer = pointerFromAnnotations(artifact.annotations, url, digest);
    if (pointer !== undefined || artifact.payload === undefined) return pointer;

    const payloadUrl = this.#client.urlOf(`blobs/${artifact.payload.digest}`);
    const payload = await this.#content(payloadUrl, artifact.payload, "a signature's payload");
    return pointerFromPayload(payload, payloadUrl, digest);
  }

  #manifestUrl({ digest }: Descriptor): string {
    return this.#client.urlOf(`manifests/${digest}`);
  }

  async #content(url: string, descriptor: Descriptor, what: string): Promise<Uint8Array> {
    if (descriptor.size > MAX_ARTIFACT) {
      const detail = `${what} has ${descriptor.size} bytes, at most ${MAX_ARTIFACT} are read`;
      throw new Missing("registry.bad_response", detail);
    }
    const { body } = this.#accepted(await this.#get(url, `${ACCEPT_MANIFEST}, */*`, MAX_ARTIFACT));
    stillInTime(what, this.#context);
    checkContent(body, descriptor, what);
    return body;
  }

  #get(url: string, accept: string, maxBytes = MAX_PAGE): Promise<RegistryAnswer> {
    return this.#client.get(url, { accept, maxBytes, maxRedirects: MAX_REDIRECTS });
  }

  #accepted({ response, tried, isBusy }: RegistryAnswer): HttpResponse {
    if (response.status === 200) return response;
    if (response.status === 401 || response.status === 403) {
      const detail = `${hostOf(response.url)} wants credentials (status ${response.status})`;
      const code = isBusy === true ? "registry.unreachable" : "registry.unauthorized";
      throw new Missing(code, tried === undefined ? detail : `${detail}: ${tried}`);
    }
    badStatus("registry", response);
  }

  /** The next page must be where the one before it was (spec 3.1). */
  #sameHost(link: string, from: string): string {
    const next = URL.parse(link, from);
    if (next === null || next.origin !== new URL(this.#client.endpoint.root).origin) {
      throw new Missing("registry.bad_response", `the list of referrers goes on at "${link}", on another host`);
    }
    return next.href;
  }
}
