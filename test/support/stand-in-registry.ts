import { createHash, randomUUID } from "node:crypto";
import { type Answer, errorAnswer, type RecordedRequest, type ServerOptions, StandInServer } from "./http-server.ts";

export const SIGNATURE_TYPE = "application/vnd.atproto.signature.v1+json";
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
export const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** How requests without credentials are answered: `denied` never gives a token, `token` always does. */
export type RegistryAccess = "anonymous" | "denied" | "token";

interface Manifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface Repository {
  readonly blobs: Map<string, Uint8Array>;
  readonly manifests: Map<string, Manifest>;
  readonly tags: Map<string, string>;
}

export interface ArtifactOptions {
  /** Default {@link SIGNATURE_TYPE}; empty string: the manifest names none. */
  readonly artifactType?: string;
  readonly annotations?: Record<string, string>;
  /** The one layer: an object is sent as JSON. Default none: the empty descriptor. */
  readonly payload?: unknown;
  readonly payloadType?: string;
  readonly config?: Descriptor;
  /** Also adds it to the index at the tag `sha256-HEX`, as clients do where the Referrers API is missing. */
  readonly fallbackTag?: boolean;
}

/** An OCI distribution 1.1 registry in memory: push, pull and the Referrers API. */
export class StandInRegistry extends StandInServer {
  /** `on`, or the status with which a registry without the Referrers API answers. */
  referrersApi: "on" | 400 | 404 | 405 | 406 | 501 = "on";
  /** Whether `artifactType` is applied here (as OCI-Filters-Applied then says) or left to the client. */
  filters = true;
  /** Referrers per answer; the rest follow by a Link. */
  pageSize = Number.POSITIVE_INFINITY;
  access: RegistryAccess = "anonymous";
  /** Whether manifests can be deleted. */
  deletes = true;
  /** Whether it sends ETags of manifests, and heeds If-Match and If-None-Match. */
  conditions = false;
  readonly #repositories = new Map<string, Repository>();
  readonly #uploads = new Map<string, Uint8Array>();
  readonly #token = randomUUID();

  static async start(options: ServerOptions = {}): Promise<StandInRegistry> {
    return new StandInRegistry(options).listen();
  }

  // --- pushing without HTTP -----------------------------------------------------------------

  pushBlob(name: string, bytes: Uint8Array, mediaType = "application/octet-stream"): Descriptor {
    const digest = sha256(bytes);
    this.#repository(name).blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Bytes are stored as they are, an object as its JSON. */
  pushManifest(name: string, manifest: unknown, tag?: string, mediaType?: string): Descriptor {
    const bytes = manifest instanceof Uint8Array ? manifest : json(manifest);
    const type = mediaType ?? parsed(bytes)["mediaType"];
    const digest = sha256(bytes);
    const repository = this.#repository(name);
    const stored = { mediaType: typeof type === "string" ? type : MANIFEST_TYPE, bytes };
    repository.manifests.set(digest, stored);
    if (tag !== undefined) repository.tags.set(tag, digest);
    return { mediaType: stored.mediaType, digest, size: bytes.length };
  }

  /** A small image of one layer; `salt` makes its digest differ from others'. */
  pushImage(name: string, salt: string, tag?: string): Descriptor {
    const layer = this.pushBlob(name, text(`layer ${salt}`), "application/vnd.oci.image.layer.v1.tar");
    const config = this.pushBlob(
      name,
      json({ architecture: "amd64", os: "linux" }),
      "application/vnd.oci.image.config.v1+json",
    );
    return this.pushManifest(name, { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [layer] }, tag);
  }

  /** An index of these manifests. */
  pushIndex(name: string, manifests: readonly Descriptor[], tag?: string): Descriptor {
    return this.pushManifest(name, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, tag);
  }

  /** An artifact whose subject is the given manifest. Answers the descriptor that referrers list. */
  attach(name: string, subject: Descriptor, options: ArtifactOptions = {}): Descriptor {
    const { artifactType = SIGNATURE_TYPE, annotations, payload } = options;
    const empty = this.pushBlob(name, text("{}"), EMPTY_TYPE);
    const layer =
      payload === undefined
        ? empty
        : this.pushBlob(
            name,
            payload instanceof Uint8Array ? payload : json(payload),
            options.payloadType ?? artifactType,
          );
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      ...(artifactType === "" ? {} : { artifactType }),
      config: options.config ?? empty,
      layers: [layer],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      ...(annotations === undefined ? {} : { annotations }),
    };
    const { digest } = this.pushManifest(name, manifest);
    const descriptor = this.referrers(name, subject.digest).find((other) => other.digest === digest);
    if (descriptor === undefined) throw new Error("the artifact is no referrer of its subject");
    if (options.fallbackTag === true) {
      const tag = subject.digest.replace(":", "-");
      const repository = this.#repository(name);
      const old = repository.manifests.get(repository.tags.get(tag) ?? "");
      const listed = old === undefined ? [] : (parsed(old.bytes)["manifests"] as Descriptor[]);
      this.pushIndex(name, [...listed, descriptor], tag);
    }
    return descriptor;
  }

  /** Descriptors of all manifests with this subject, in the order of their arrival. */
  referrers(name: string, subject: string): Descriptor[] {
    const found: Descriptor[] = [];
    for (const [digest, { mediaType, bytes }] of this.#repository(name).manifests) {
      const manifest = parsed(bytes);
      if ((manifest["subject"] as Descriptor | undefined)?.digest !== subject) continue;
      const config = manifest["config"] as Descriptor | undefined;
      const artifactType = (manifest["artifactType"] as string | undefined) ?? config?.mediaType;
      const annotations = manifest["annotations"] as Record<string, string> | undefined;
      found.push({
        mediaType,
        digest,
        size: bytes.length,
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(annotations === undefined ? {} : { annotations }),
      });
    }
    return found;
  }

  /** The JSON of a manifest. @param reference a tag or a digest */
  manifestAt(name: string, reference: string): Record<string, unknown> {
    const { manifests, tags } = this.#repository(name);
    return parsed(manifests.get(tags.get(reference) ?? reference)?.bytes ?? new Uint8Array());
  }

  blobAt(name: string, digest: string): Uint8Array {
    return this.#repository(name).blobs.get(digest) ?? new Uint8Array();
  }

  /** Removes a manifest and its tags, or a blob. */
  remove(name: string, digest: string): void {
    const { manifests, blobs, tags } = this.#repository(name);
    manifests.delete(digest);
    blobs.delete(digest);
    for (const [tag, tagged] of tags) if (tagged === digest) tags.delete(tag);
  }

  // --- HTTP ---------------------------------------------------------------------------------

  protected answer(request: RecordedRequest): Answer {
    if (request.path === "/token") {
      return this.access === "denied" ? unauthorized("Basic") : { json: { token: this.#token, expires_in: 300 } };
    }
    const refused = this.#authorize(request);
    if (refused !== undefined) return refused;
    if (request.path === "/v2/" || request.path === "/v2") return { json: {} };
    const match = /^\/v2\/(.+)\/(blobs|manifests|referrers|tags)\/(.*)$/.exec(request.path);
    const [, name = "", what = "", reference = ""] = match ?? [];
    switch (what) {
      case "blobs":
        return reference.startsWith("uploads/")
          ? this.#upload(request, name, reference.slice("uploads/".length))
          : this.#blob(request, name, reference);
      case "manifests":
        if (request.method === "DELETE") return this.#deleteManifest(name, reference);
        return request.method === "PUT"
          ? this.#putManifest(request, name, reference)
          : this.#manifest(request, name, reference);
      case "referrers":
        return this.#listReferrers(request, name, reference);
      case "tags":
        return { json: { name, tags: [...this.#repository(name).tags.keys()].sort() } };
      default:
        return registryError(404, "NAME_UNKNOWN");
    }
  }

  #authorize(request: RecordedRequest): Answer | undefined {
    if (this.access === "anonymous" || request.headers.authorization === `Bearer ${this.#token}`) return undefined;
    const name = /^\/v2\/(.+)\/(?:blobs|manifests|referrers|tags)\//.exec(request.path)?.[1];
    const scope = name === undefined ? "" : `,scope="repository:${name}:pull"`;
    return unauthorized(`Bearer realm="${this.origin}/token",service="${this.authority}"${scope}`);
  }

  #upload(request: RecordedRequest, name: string, session: string): Answer {
    const { method, body, query } = request;
    const digest = query.get("digest");
    if (method === "POST" && digest === null) {
      const id = randomUUID();
      this.#uploads.set(id, new Uint8Array());
      return { status: 202, headers: { location: `/v2/${name}/blobs/uploads/${id}`, range: "0-0" } };
    }
    const begun = this.#uploads.get(session) ?? new Uint8Array();
    if (method !== "POST" && !this.#uploads.has(session)) return registryError(404, "BLOB_UPLOAD_UNKNOWN");
    const bytes = new Uint8Array(Buffer.concat([begun, body]));
    if (method === "PATCH") {
      this.#uploads.set(session, bytes);
      const location = `/v2/${name}/blobs/uploads/${session}`;
      return { status: 202, headers: { location, range: `0-${Math.max(0, bytes.length - 1)}` } };
    }
    if (digest !== sha256(bytes)) return registryError(400, "DIGEST_INVALID");
    this.#uploads.delete(session);
    this.pushBlob(name, bytes);
    return created(`/v2/${name}/blobs/${digest}`, digest);
  }

  #blob(request: RecordedRequest, name: string, digest: string): Answer {
    const bytes = this.#repository(name).blobs.get(digest);
    if (bytes === undefined) return registryError(404, "BLOB_UNKNOWN");
    return content(request, bytes, "application/octet-stream", digest);
  }

  #manifest(request: RecordedRequest, name: string, reference: string): Answer {
    const { manifests, tags } = this.#repository(name);
    const digest = tags.get(reference) ?? reference;
    const manifest = manifests.get(digest);
    if (manifest === undefined) return registryError(404, "MANIFEST_UNKNOWN");
    const answer = content(request, manifest.bytes, manifest.mediaType, digest);
    return this.conditions ? { ...answer, headers: { ...answer.headers, etag: `"${digest}"` } } : answer;
  }

  #deleteManifest(name: string, digest: string): Answer {
    if (!this.deletes) return registryError(405, "UNSUPPORTED");
    if (!this.#repository(name).manifests.has(digest)) return registryError(404, "MANIFEST_UNKNOWN");
    this.remove(name, digest);
    return { status: 202 };
  }

  #isStale({ headers }: RecordedRequest, name: string, reference: string): boolean {
    const { tags } = this.#repository(name);
    const there = tags.get(reference);
    if (headers["if-none-match"] === "*") return there !== undefined;
    return headers["if-match"] !== undefined && headers["if-match"] !== `"${there}"`;
  }

  #putManifest(request: RecordedRequest, name: string, reference: string): Answer {
    const digest = sha256(request.body);
    const isTag = !reference.includes(":");
    if (this.conditions && this.#isStale(request, name, reference)) return registryError(412, "DENIED");
    if (!isTag && reference !== digest) return registryError(400, "DIGEST_INVALID");
    this.pushManifest(name, request.body, isTag ? reference : undefined, request.headers["content-type"]);
    const subject = (parsed(request.body)["subject"] as Descriptor | undefined)?.digest;
    const answer = created(`/v2/${name}/manifests/${digest}`, digest);
    if (subject === undefined || this.referrersApi !== "on") return answer;
    return { ...answer, headers: { ...answer.headers, "oci-subject": subject } };
  }

  #listReferrers(request: RecordedRequest, name: string, subject: string): Answer {
    if (this.referrersApi !== "on") return registryError(this.referrersApi, "UNSUPPORTED");
    const wanted = request.query.get("artifactType");
    const filtering = this.filters && wanted !== null;
    const all = this.referrers(name, subject).filter((found) => !filtering || found.artifactType === wanted);
    const from = Number(request.query.get("from") ?? 0);
    const headers: Record<string, string> = { "content-type": INDEX_TYPE };
    if (filtering) headers["oci-filters-applied"] = "artifactType";
    if (from + this.pageSize < all.length) {
      const query = new URLSearchParams(request.query);
      query.set("from", String(from + this.pageSize));
      headers["link"] = `<${request.path}?${query.toString()}>; rel="next"`;
    }
    const manifests = all.slice(from, from + this.pageSize);
    return { json: { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, headers };
  }

  #repository(name: string): Repository {
    const found = this.#repositories.get(name);
    if (found !== undefined) return found;
    const made = { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, made);
    return made;
  }
}

/** `sha256:` and the hash of the bytes in hex. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function content(request: RecordedRequest, bytes: Uint8Array, type: string, digest: string): Answer {
  const headers = { "content-type": type, "docker-content-digest": digest, "content-length": String(bytes.length) };
  return { headers, body: request.method === "HEAD" ? "" : bytes };
}

function created(location: string, digest: string): Answer {
  return { status: 201, headers: { location, "docker-content-digest": digest } };
}

function unauthorized(challenge: string): Answer {
  const answer = registryError(401, "UNAUTHORIZED");
  return { ...answer, headers: { "www-authenticate": challenge } };
}

function registryError(status: number, code: string): Answer {
  return errorAnswer(status, { errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] });
}

function parsed(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // Tests push manifests that are no JSON, too.
    return {};
  }
}

function json(value: unknown): Uint8Array {
  return text(JSON.stringify(value));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
