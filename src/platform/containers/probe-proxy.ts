import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { listenOnLoopback } from "../loopback-server.ts";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/** A proxy on loopback in the place of every registry. */
export interface ProbeProxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Of the one image that it serves. */
  readonly digest: string;
  /** Number of requests for a blob: each shows that a pull was let through. */
  readonly wanted: () => number;
  readonly stop: () => Promise<void>;
}

/**
 * Serves the manifest of one image, under every name, as an HTTP proxy: the client believes that it talks to the real
 * registry, and so reads what /etc/containers says of it, while no registry is contacted.
 */
export async function startProbeProxy(): Promise<ProbeProxy> {
  // Never the same digest again, so that no answer comes from what is stored.
  const annotations = { "dev.atcr-verify.probe": randomBytes(16).toString("hex") };
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: EMPTY, size: 2 };
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [], annotations }),
  );
  const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
  let wanted = 0;
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/^http:\/\/[^/]*/, "");
    if (/^\/v2\/.+\/manifests\//.test(path)) {
      response.writeHead(200, {
        "content-type": MANIFEST_TYPE,
        "content-length": `${manifest.length}`,
        "docker-content-digest": digest,
      });
      response.end(request.method === "HEAD" ? undefined : manifest);
      return;
    }
    if (path.includes("/blobs/")) wanted++;
    response.writeHead(path === "/v2/" ? 200 : 404);
    response.end();
  });
  // Registries are asked by HTTPS first; without a tunnel the client falls back to HTTP, for this one name.
  server.on("connect", (_, socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
  const { host, stop } = await listenOnLoopback(server);
  return { url: `http://${host}`, digest, wanted: () => wanted, stop };
}
