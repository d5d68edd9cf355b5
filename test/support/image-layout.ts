import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { readTar, type TarEntry } from "../../packaging/image/tar.ts";
import type { Descriptor } from "./image.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** What `make image` makes. */
export const LAYOUT_FILE = join(ROOT, "dist/atcr-verify-image.tar");

/** What to pass to `requirement` for tests of the image. */
export function missingImage(): string | undefined {
  return existsSync(LAYOUT_FILE) ? undefined : `run make image: ${LAYOUT_FILE} is missing`;
}

export interface ImageManifest {
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
}

export interface ImageConfig {
  readonly architecture: string;
  readonly created: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly Labels: Readonly<Record<string, string>> };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** An OCI image layout in a tar, read with the repository's own reader. */
export class ImageLayout {
  readonly #files: ReadonlyMap<string, TarEntry>;
  /** By the digest of the layer: images share them. */
  readonly #archives = new Map<string, Uint8Array>();

  constructor(file: string) {
    this.#files = new Map(readTar(readFileSync(file)).map((entry) => [entry.path, entry]));
  }

  /** Every path, in the order of the archive. */
  get paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  read(path: string): Uint8Array {
    const entry = this.#files.get(path);
    if (entry?.type !== "file") throw new Error(`the layout has no file ${path}`);
    return entry.bytes;
  }

  /** @throws Error unless digest and size are those of the descriptor */
  blob({ digest, size }: Descriptor): Uint8Array {
    const bytes = this.read(`blobs/${digest.replace(":", "/")}`);
    const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    if (found !== digest || bytes.length !== size)
      throw new Error(`${digest} of ${size} is ${found} of ${bytes.length}`);
    return bytes;
  }

  json<Type>(descriptor: Descriptor): Type {
    return JSON.parse(Buffer.from(this.blob(descriptor)).toString()) as Type;
  }

  /** What index.json lists. */
  get listed(): readonly Descriptor[] {
    return (JSON.parse(Buffer.from(this.read("index.json")).toString()) as { manifests: readonly Descriptor[] })
      .manifests;
  }

  /** The images of a tag, by architecture. */
  images(tag: string): ReadonlyMap<string, Descriptor> {
    const index = this.listed.find(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"] === tag);
    if (index === undefined) throw new Error(`the layout has no tag ${tag}`);
    const { manifests } = this.json<{ manifests: readonly Descriptor[] }>(index);
    return new Map(manifests.map((one) => [one.platform?.architecture ?? "", one]));
  }

  /** The archives of an image's layers, before they were compressed. */
  archives({ layers }: ImageManifest): readonly Uint8Array[] {
    return layers.map((layer) => {
      const archive = this.#archives.get(layer.digest) ?? gunzipSync(this.blob(layer));
      this.#archives.set(layer.digest, archive);
      return archive;
    });
  }
}
