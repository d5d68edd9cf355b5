import type { Pointer, Subject } from "../../core/evidence/evidence.ts";
import { pointerFromAnnotations, pointerFromPayload } from "../../core/evidence/pointer.ts";
import { type Artifact, checkContent, readArtifact } from "../../core/oci/artifact.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import {
  ACCEPT_INDEX,
  type ArtifactType,
  allReferrersPath,
  fallbackTagPath,
  isSignatureType,
  isSubjectItself,
  NO_REFERRERS_API,
  nextPage,
  type ReferrersPage,
  readReferrers,
  referrersPath,
} from "../../core/oci/referrers.ts";
import { Rejection } from "../../core/rejection.ts";
import { HttpFailure } from "../../io/net/exchange.ts";
import { WITHHELD } from "../../io/net/quote-peer.ts";
import type { RegistryAnswer, RegistryClient } from "../../io/registry/client.ts";
import { assertTimeLeft, type RegistryContext, UnavailableError } from "./context.ts";
import { accepted, MAX_REDIRECTS } from "./registry-host.ts";

/** Cap on a page of referrers in bytes (spec 4): some thousands of them. */
const MAX_PAGE = 1024 * 1024;
/** Cap on a signature's manifest and payload in bytes: real ones have about a kilobyte, and anybody may attach one. */
const MAX_ARTIFACT = 64 * 1024;
/** Pages of referrers read at one endpoint; stops an endless list. */
const MAX_PAGES = 8;
const ACCEPT_MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** The referrers that a registry lists, as far as the list could be read. */
export interface Listing {
  readonly referrers: readonly Descriptor[];
  /** Whether all pages were read. */
  readonly complete: boolean;
  /** Why a page could not be fetched or a descriptor not read; the others count. */
  readonly gaps: readonly (UnavailableError | Rejection)[];
}

type Gaps = Listing["gaps"][number][];

interface PagedListing extends Listing {
  readonly pages: number;
  /** Whether it comes from the Referrers API, not from the fallback tag. */
  readonly isApi: boolean;
  readonly hasOthers: boolean;
}

interface Page extends ReferrersPage {
  readonly isApi: boolean;
  /** The URL of the answer, after redirects. */
  readonly from: string;
  /** Its host, for messages. */
  readonly host: string;
  /** The link to the next page; attacker-controlled. */
  readonly next: string | undefined;
}

/** One repository at one endpoint, asked about the artifacts of one type that refer to an image. */
export class Repository {
  readonly #client: RegistryClient;
  readonly #subject: Subject;
  readonly #type: ArtifactType;
  readonly #context: RegistryContext;

  constructor(client: RegistryClient, subject: Subject, type: ArtifactType, context: RegistryContext) {
    this.#client = client;
    this.#type = type;
    this.#subject = subject;
    this.#context = context;
  }

  /**
   * The referrers that may be of the type. A page that cannot be fetched leaves a gap; the pages before it count. Where
   * the filtered list has no candidate, the full list is fetched too: some registries filter by another type than the
   * manifest's own.
   */
  async referrers(): Promise<Listing> {
    const filtered = await this.#list((gaps) => this.#firstPage(gaps), MAX_PAGES);
    const isFiltered = filtered.isApi && !filtered.hasOthers;
    const isRead = filtered.complete && !filtered.gaps.some((gap) => gap instanceof UnavailableError);
    if (filtered.referrers.length > 0 || !isFiltered || !isRead) return filtered;
    const url = this.#client.urlOf(allReferrersPath(this.#subject.digest));
    // The page limit applies to both lists together.
    const all = await this.#list((gaps) => this.#fromApi(url, gaps), MAX_PAGES - filtered.pages);
    return { ...all, gaps: [...filtered.gaps, ...all.gaps] };
  }

  async #list(first: (gaps: Gaps) => Promise<Page | undefined>, most: number): Promise<PagedListing> {
    const referrers: Descriptor[] = [];
    const gaps: Gaps = [];
    const seen = { pages: 0, isApi: false, hasOthers: false };
    let complete = most > 0;
    try {
      let page = complete ? await first(gaps) : undefined;
      seen.isApi = page?.isApi === true;
      while (page !== undefined) {
        seen.pages++;
        seen.hasOthers ||= page.hasOthers;
        referrers.push(...page.candidates);
        if (page.unreadable !== undefined) gaps.push(page.unreadable);
        if (page.next === undefined) break;
        complete = seen.pages < most;
        page = complete ? await this.#nextPage(page.next, page) : undefined;
      }
    } catch (error) {
      if (!(error instanceof UnavailableError || error instanceof Rejection)) throw error;
      gaps.push(error);
    }
    return { referrers, complete, gaps, ...seen };
  }

  /** From the Referrers API, else from the fallback tag; undefined where there is neither. */
  async #firstPage(gaps: Gaps): Promise<Page | undefined> {
    const path = referrersPath(this.#subject.digest, this.#type);
    return (await this.#fromApi(this.#client.urlOf(path), gaps)) ?? this.#fromTag();
  }

  /**
   * From the Referrers API; undefined where the registry has none (spec 3.1).
   *
   * @param gaps receives what must be reported even then
   */
  async #fromApi(url: string, gaps: Gaps): Promise<Page | undefined> {
    let answer: RegistryAnswer;
    try {
      answer = await this.#get(url, ACCEPT_INDEX);
    } catch (error) {
      // A registry without the API may redirect to a web page, which a node need not reach.
      if (!(error instanceof UnavailableError && error.cause instanceof HttpFailure && error.cause.isRedirected))
        throw error;
      // A redirect to a forbidden address may be an attack, so it is reported.
      if (error.code === "net.forbidden_address") gaps.push(error);
      return undefined;
    }
    const { status, headers, url: from } = answer.response;
    // Harbor before 2.8 answers 401 without a challenge for an API that it does not have.
    const isUnknown = status === 401 && !headers.has("www-authenticate");
    const isElsewhere = status !== 200 && new URL(from).host !== new URL(url).host;
    if (NO_REFERRERS_API.has(status) || isUnknown || isElsewhere) return undefined;
    return this.#page(answer, true);
  }

  /** From the fallback tag of the Referrers API; undefined where the tag does not exist. */
  async #fromTag(): Promise<Page | undefined> {
    const { digest } = this.#subject;
    const answer = await this.#get(this.#client.urlOf(fallbackTagPath(digest)), ACCEPT_INDEX);
    const { status, body } = answer.response;
    // GitLab resolves the tag as the digest and answers with the image.
    if (status === 404 || isSubjectItself(body, digest)) return undefined;
    const tag = `${answer.host} has no Referrers API, and its fallback tag`;
    if (status === 403) {
      const how = answer.tried === undefined ? "" : `, ${answer.tried}`;
      badResponse(`${tag} could not be read (status 403${how})${answer.said}`);
    }
    return this.#page(answer, false) ?? badResponse(`${tag} is not an OCI index`);
  }

  async #nextPage(link: string, { from, isApi, host }: Page): Promise<Page> {
    const answer = await this.#get(this.#sameHost(link, from), ACCEPT_INDEX);
    return this.#page(answer, isApi) ?? badResponse(`a later page of ${host}'s list of referrers is not an OCI index`);
  }

  /** @returns undefined where it is not an OCI index */
  #page(answer: RegistryAnswer, isApi: boolean): Page | undefined {
    const { body, url, headers } = accepted(answer);
    assertTimeLeft("the list of referrers", this.#context);
    const page = readReferrers(body, this.#type);
    return page && { ...page, isApi, from: url, host: answer.host, next: nextPage(headers.get("link")) };
  }

  /** The signer that a referrer's descriptor names, so that its manifest need not be fetched. */
  pointerOf(referrer: Descriptor): Pointer | undefined {
    if (!isSignatureType(referrer.artifactType)) return undefined;
    return this.#shown(pointerFromAnnotations(referrer.annotations, this.#manifestUrl(referrer), this.#subject.digest));
  }

  /** The pointer with its note withheld if that repeats something secret: the note quotes the registry's own text. */
  #shown(pointer: Pointer | undefined): Pointer | undefined {
    if (pointer?.note === undefined || !this.#client.repeatsSent(pointer.note)) return pointer;
    return { ...pointer, note: `points to another record ${WITHHELD}` };
  }

  /**
   * Fetches a candidate whose descriptor names no signer.
   *
   * @throws UnavailableError, Rejection where it cannot be used
   */
  async examine(candidate: Descriptor): Promise<Pointer | undefined> {
    const { digest } = this.#subject;
    const url = this.#manifestUrl(candidate);
    const artifact = await this.artifactOf(candidate);
    if (artifact === undefined) return undefined;
    const pointer = this.#shown(pointerFromAnnotations(artifact.annotations, url, digest));
    if (pointer !== undefined || artifact.payload === undefined) return pointer;

    const payload = await this.payloadOf(artifact.payload, "a signature's payload");
    return this.#shown(pointerFromPayload(payload, this.#blobUrl(artifact.payload), digest));
  }

  /** The manifest of a referrer; undefined where it is of another type. @throws as {@link examine} */
  async artifactOf(referrer: Descriptor): Promise<Artifact | undefined> {
    const bytes = await this.#content(this.#manifestUrl(referrer), referrer, "a referrer's manifest");
    return readArtifact(bytes, this.#subject.digest, this.#type);
  }

  /** What a manifest lists. @throws as {@link examine} */
  async payloadOf(payload: Descriptor, what: string, maxBytes = MAX_ARTIFACT): Promise<Uint8Array> {
    return this.#content(this.#blobUrl(payload), payload, what, maxBytes);
  }

  #blobUrl({ digest }: Descriptor): string {
    return this.#client.urlOf(`blobs/${digest}`);
  }

  #manifestUrl({ digest }: Descriptor): string {
    return this.#client.urlOf(`manifests/${digest}`);
  }

  async #content(url: string, descriptor: Descriptor, what: string, max = MAX_ARTIFACT): Promise<Uint8Array> {
    const { body } = accepted(await this.#get(url, `${ACCEPT_MANIFEST}, */*`, max));
    assertTimeLeft(what, this.#context);
    checkContent(body, descriptor, what);
    return body;
  }

  #get(url: string, accept: string, maxBytes = MAX_PAGE): Promise<RegistryAnswer> {
    return this.#client.get(url, { accept, maxBytes, maxRedirects: MAX_REDIRECTS });
  }

  /** The next page must be within the same origin (spec 3.1). */
  #sameHost(link: string, from: string): string {
    const next = URL.parse(link, from);
    if (next === null || next.origin !== new URL(this.#client.endpoint.root).origin) {
      const where =
        next === null
          ? "is not a valid URL"
          : `is at another host: ${next.protocol}//${this.#client.nameHost(next.href)}`;
      throw new UnavailableError("registry.bad_response", `the next page of the list of referrers ${where}`);
    }
    return next.href;
  }
}

function badResponse(detail: string): never {
  throw new UnavailableError("registry.bad_response", detail);
}
