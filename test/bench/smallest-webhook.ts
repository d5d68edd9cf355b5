/**
 * The smallest webhook, for comparison only: no server that anybody offers. It has no queue, no cache and no deadline:
 * `node smallest-webhook.ts PORT FOLDER [COSIGN ARGUMENTS…]`, with tls.crt and tls.key in FOLDER. It admits what `cosign
 * verify` does; without cosign everything at once, which is what is left of a latency when nothing is verified.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";

interface Asked {
  readonly request: {
    readonly uid: string;
    readonly object: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
}

const [port = "", folder = "", cosign, ...args] = process.argv.slice(2);
const tls = { cert: readFileSync(join(folder, "tls.crt")), key: readFileSync(join(folder, "tls.key")) };

const isSigned = (image: string): Promise<boolean> =>
  new Promise((done) => {
    if (cosign === undefined) done(true);
    else execFile(cosign, [...args, image], (error) => done(error === null));
  });

async function answer(bytes: Buffer): Promise<string> {
  const { request: asked } = JSON.parse(bytes.toString()) as Asked;
  const verdicts = await Promise.all(asked.object.spec.containers.map(({ image }) => isSigned(image)));
  const response = { uid: asked.uid, allowed: verdicts.every(Boolean) };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
}

const server = createServer(tls, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    void answer(Buffer.concat(chunks)).then((body) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.end(body);
    });
  });
});
server.listen(Number(port), "127.0.0.1", () => process.stdout.write("listening\n"));
