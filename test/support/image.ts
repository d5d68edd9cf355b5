import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

// Builds small OCI images and referrers in memory and pushes them by the distribution API. Everything
// is deterministic: the same arguments give the same digests.

export const MEDIA_TYPE = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
}

export interface Platform {
  readonly architecture: string;
  readonly os: string;
}

/** Bytes with the media type they are pushed with. */
export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** A manifest with everything it needs: its blobs and, for an index, the manifests it lists. */
export interface Content {
  readonly manifest: Blob;
  readonly blobs: readonly Blob[];
  readonly children: readonly Content[];
  readonly platform?: Platform;
}

/** A manifest about another manifest. */
export interface Referrer extends Content {
  readonly subject: Descriptor;
  /** As an index of referrers lists it. */
  readonly descriptor: Descriptor;
}

export function blob(mediaType: string, bytes: Uint8Array): Blob {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

export function jsonBlob(mediaType: string, value: unknown): Blob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

/** mediaType, digest and size of some bytes. */
export function descriptorOf({ mediaType, digest, size }: Blob): Descriptor {
  return { mediaType, digest, size };
}

export const HOST_PLATFORM: Platform = { architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" };

/** An image with one layer, which holds one file with `content`. Another content is another digest. */
export function buildImage(content: string, platform: Platform = HOST_PLATFORM): Content {
  const archive = tar("content.txt", Buffer.from(content));
  const layer = blob(MEDIA_TYPE.layer, gzipSync(archive));
  const config = jsonBlob(MEDIA_TYPE.config, {
    ...platform,
    config: {},
    rootfs: { type: "layers", diff_ids: [digestOf(archive)] },
  });
  const manifest = jsonBlob(MEDIA_TYPE.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: descriptorOf(config),
    layers: [descriptorOf(layer)],
  });
  return { manifest, blobs: [config, layer], children: [], platform };
}

/** An index of one image for each platform; amd64 and arm64 when none are given. */
export function buildIndex(
  content: string,
  platforms: readonly Platform[] = [
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux" },
  ],
): Content {
  const children = platforms.map((platform) => buildImage(`${content} for ${platform.architecture}`, platform));
  const manifest = jsonBlob(MEDIA_TYPE.index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.index,
    manifests: children.map((child) => ({ ...descriptorOf(child.manifest), platform: child.platform })),
  });
  return { manifest, blobs: [], children };
}

export interface ReferrerOptions {
  readonly artifactType: string;
  /** An image, or the descriptor of a manifest that need not exist. */
  readonly subject: Content | Descriptor;
  /** The bytes of the one layer, or a value written as JSON. */
  readonly payload: unknown;
  /** application/json when absent. */
  readonly payloadType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Replaces or adds fields of the manifest, for those that are wrong on purpose; undefined removes one. */
  readonly override?: Readonly<Record<string, unknown>>;
}

/** An artifact manifest with a subject, as `oras attach --artifact-type` makes it. */
export function buildReferrer(options: ReferrerOptions): Referrer {
  const subject = "manifest" in options.subject ? descriptorOf(options.subject.manifest) : options.subject;
  const payloadType = options.payloadType ?? "application/json";
  const payload =
    options.payload instanceof Uint8Array ? blob(payloadType, options.payload) : jsonBlob(payloadType, options.payload);
  const config = jsonBlob(MEDIA_TYPE.empty, {});
  const annotations = options.annotations && { annotations: options.annotations };
  const manifest = jsonBlob(MEDIA_TYPE.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    artifactType: options.artifactType,
    config: descriptorOf(config),
    layers: [descriptorOf(payload)],
    subject,
    ...annotations,
    ...options.override,
  });
  return {
    manifest,
    blobs: [config, payload],
    children: [],
    subject,
    descriptor: { ...descriptorOf(manifest), artifactType: options.artifactType, ...annotations },
  };
}

/** An index of referrers, as the Referrers API answers and as the tag fallback stores. */
export function buildReferrersIndex(descriptors: readonly Descriptor[]): Blob {
  return jsonBlob(MEDIA_TYPE.index, { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: descriptors });
}

/** The tag under which a registry without the Referrers API keeps the referrers of a digest. */
export function fallbackTag(digest: string): string {
  return digest.replace(":", "-");
}

/**
 * Pushes an image or index with all it needs.
 *
 * @param registry `http://HOST:PORT` of any registry that speaks the distribution API
 * @param repository path without the host: `alice/app`
 * @param tag without one, it can be pulled by digest only
 */
export async function pushImage(registry: string, repository: string, image: Content, tag?: string): Promise<void> {
  for (const child of image.children) {
    await pushImage(registry, repository, child);
  }
  await Promise.all(image.blobs.map((part) => pushBlob(registry, repository, part)));
  await pushManifest(registry, repository, image.manifest, tag ?? image.manifest.digest);
}

/**
 * Pushes a referrer. If the registry does not confirm the subject, the fallback tag is updated as well, as the
 * distribution specification requires of clients.
 */
export async function attachReferrer(registry: string, repository: string, referrer: Referrer): Promise<void> {
  await Promise.all(referrer.blobs.map((part) => pushBlob(registry, repository, part)));
  const answer = await pushManifest(registry, repository, referrer.manifest, referrer.manifest.digest);
  if (answer.headers.get("oci-subject") === null) {
    const tag = fallbackTag(referrer.subject.digest);
    const known = await readReferrersIndex(registry, repository, tag);
    const others = known.filter((descriptor) => descriptor.digest !== referrer.manifest.digest);
    await pushManifest(registry, repository, buildReferrersIndex([...others, referrer.descriptor]), tag);
  }
}

/** Pushes one blob, config or layer. */
export async function pushBlob(registry: string, repository: string, part: Blob): Promise<void> {
  const upload = await request("POST", `${registry}/v2/${repository}/blobs/uploads/`, 202);
  const location = new URL(upload.headers.get("location") ?? "", registry);
  location.searchParams.set("digest", part.digest);
  await request("PUT", location.href, 201, part.bytes, "application/octet-stream");
}

/** Pushes one manifest or index as it is. `reference` is a tag or its digest. */
export function pushManifest(
  registry: string,
  repository: string,
  manifest: Blob,
  reference: string,
): Promise<Response> {
  const url = `${registry}/v2/${repository}/manifests/${reference}`;
  return request("PUT", url, 201, manifest.bytes, manifest.mediaType);
}

async function readReferrersIndex(registry: string, repository: string, tag: string): Promise<readonly Descriptor[]> {
  const headers = { accept: MEDIA_TYPE.index };
  const answer = await fetch(`${registry}/v2/${repository}/manifests/${tag}`, { headers });
  if (answer.status === 404) {
    await answer.body?.cancel();
    return [];
  }
  return ((await answer.json()) as { manifests: Descriptor[] }).manifests;
}

async function request(
  method: string,
  url: string,
  expected: number,
  body?: Uint8Array,
  type?: string,
): Promise<Response> {
  const answer = await fetch(url, {
    method,
    ...(body && { body: body as Uint8Array<ArrayBuffer> }),
    ...(type !== undefined && { headers: { "content-type": type } }),
  });
  const text = await answer.text();
  if (answer.status !== expected) {
    throw new Error(`${method} ${url} answered ${answer.status}, expected ${expected}: ${text}`);
  }
  return answer;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A ustar archive with one file, owned by root, of 1970. */
function tar(name: string, content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(512);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(content.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(" ".repeat(8), 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  // Two empty blocks end an archive.
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
