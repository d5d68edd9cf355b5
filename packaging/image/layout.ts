/** An OCI image layout (image-spec, image-layout.md): blobs by their digests, and the index of what has a name. */
import { createHash } from "node:crypto";
import { gzipped, type TarEntry, writeTar } from "./tar.ts";

export const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
  cyclonedx: "application/vnd.cyclonedx+json",
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [field: string]: unknown;
}

export interface Layer {
  readonly descriptor: Descriptor;
  /** Digest of the archive before it was compressed. */
  readonly diffId: string;
  /** What it adds, for the image's history. */
  readonly comment: string;
}

export interface Platform {
  readonly architecture: string;
  readonly os: "linux";
  readonly variant?: string;
}

export class Layout {
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #named: Descriptor[] = [];
  readonly #mtime: number;

  /** @param mtime of everything in it: seconds since 1970 */
  constructor(mtime: number) {
    this.#mtime = mtime;
  }

  /** As image configurations have it. */
  get created(): string {
    return new Date(this.#mtime * 1000).toISOString().replace(".000Z", "Z");
  }

  async addLayer(entries: readonly TarEntry[], comment: string): Promise<Layer> {
    const archive = writeTar(entries, this.#mtime);
    const compressed = await gzipped(archive);
    return { descriptor: this.#add(MEDIA_TYPE.layer, compressed), diffId: digestOf(archive), comment };
  }

  /** @param config what a runtime reads: user, entry point, labels */
  addImage(platform: Platform, layers: readonly Layer[], config: object, annotations: object): Descriptor {
    const { created } = this;
    const configuration = this.#addJson(MEDIA_TYPE.config, {
      created,
      ...platform,
      config,
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(({ comment }) => ({ created, created_by: "make image", comment })),
    });
    const manifest = this.#addJson(MEDIA_TYPE.manifest, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: configuration,
      layers: layers.map(({ descriptor }) => descriptor),
      annotations,
    });
    return { ...manifest, platform };
  }

  /** Images of several platforms, under a tag. */
  addIndex(tag: string, manifests: readonly Descriptor[], annotations: object): Descriptor {
    const index = this.#addJson(MEDIA_TYPE.index, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.index,
      manifests,
      annotations,
    });
    this.#named.push({ ...index, annotations: { "org.opencontainers.image.ref.name": tag } });
    return index;
  }

  /** An artifact with an image as its subject, as registries list it among the image's referrers. */
  addReferrer(
    { mediaType, digest, size }: Descriptor,
    artifactType: string,
    content: Uint8Array,
    annotations: object,
  ): void {
    const manifest = this.#addJson(MEDIA_TYPE.manifest, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      artifactType,
      config: this.#add(MEDIA_TYPE.empty, Buffer.from("{}")),
      layers: [this.#add(artifactType, content)],
      subject: { mediaType, digest, size },
      annotations,
    });
    this.#named.push({ ...manifest, artifactType });
  }

  /** The layout as one archive, which tools read without unpacking it. */
  toTar(): Buffer {
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: this.#named };
    const blobs = [...this.#blobs].map(
      ([digest, bytes]): TarEntry => ({ path: `blobs/${digest.replace(":", "/")}`, type: "file", bytes }),
    );
    return writeTar(
      [
        { path: "oci-layout", type: "file", bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
        { path: "index.json", type: "file", bytes: Buffer.from(JSON.stringify(index)) },
        ...blobs,
      ],
      this.#mtime,
    );
  }

  #add(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  #addJson(mediaType: string, value: object): Descriptor {
    return this.#add(mediaType, Buffer.from(JSON.stringify(value)));
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
