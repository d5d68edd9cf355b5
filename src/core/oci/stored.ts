import { toUtf8 } from "../encoding/bytes.ts";
import type { JsonObject } from "../encoding/json.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import type { Digest } from "./digest.ts";

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** Content to be stored in a registry, and how manifests describe it. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly descriptor: {
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
    readonly artifactType?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** What a manifest's `subject` says of an image. */
export type ImageDescriptor = Pick<Stored["descriptor"], "mediaType" | "digest" | "size">;

/** A config that says nothing (OCI image spec 1.1, guidance for an empty descriptor). */
export const EMPTY_CONFIG = stored("application/vnd.oci.empty.v1+json", toUtf8("{}"));

export function stored(mediaType: string, bytes: Uint8Array): Stored {
  return { bytes, descriptor: { mediaType, digest: `sha256:${sha256Hex(bytes)}` as Digest, size: bytes.length } };
}

export function storedJson(mediaType: string, value: JsonObject): Stored {
  return stored(mediaType, toUtf8(JSON.stringify(value)));
}

/**
 * The manifest of an artifact with one layer that refers to an image; its descriptor is the one that lists of referrers
 * show.
 */
export function referrerManifest(
  artifactType: string,
  layer: Stored,
  subject: ImageDescriptor,
  annotations: Readonly<Record<string, string>>,
): Stored {
  const manifest = storedJson(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType,
    config: EMPTY_CONFIG.descriptor,
    layers: [layer.descriptor],
    subject,
    annotations,
  });
  return { ...manifest, descriptor: { ...manifest.descriptor, artifactType, annotations } };
}
