import { createServer } from "node:http";
import { listenOnLoopback } from "../loopback-server.ts";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A registry with one image, of which only the digest is served. */
export interface ProbeRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Number of requests for the manifest: each one shows that a pull was let through. */
  readonly wanted: () => number;
  readonly stop: () => Promise<void>;
}

/**
 * Serves the digest of an image on loopback, and nothing else. containerd requests the digest before it asks
 * verifiers, and the manifest afterwards.
 *
 * @param digest of every tag
 */
export async function startProbeRegistry(digest: string): Promise<ProbeRegistry> {
  let wanted = 0;
  const server = createServer((request, response) => {
    const isManifest = /^\/v2\/.+\/manifests\//.test(request.url ?? "");
    if (isManifest && request.method === "HEAD") {
      response.writeHead(200, {
        "content-type": MANIFEST_TYPE,
        "content-length": "2",
        "docker-content-digest": digest,
      });
    } else {
      if (isManifest) wanted++;
      response.writeHead(request.url === "/v2/" ? 200 : 404);
    }
    response.end();
  });
  const { host, stop } = await listenOnLoopback(server);
  return { host, wanted: () => wanted, stop };
}
