import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A registry for one image that nobody can have, as its content is never served. */
export interface ProbeRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** How often somebody wanted the image's content: whoever does has been allowed to pull it. */
  readonly wanted: () => number;
  readonly stop: () => Promise<void>;
}

/**
 * Serves on loopback what tells containerd the digest of an image, and nothing else. containerd asks for that
 * before it asks verifiers, and for the manifest afterwards.
 *
 * @param digest what every tag leads to
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
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  };
  return { host: `127.0.0.1:${port}`, wanted: () => wanted, stop };
}
