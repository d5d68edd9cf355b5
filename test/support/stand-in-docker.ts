import { once } from "node:events";
import { createServer } from "node:http";

/** What an engine does with a pull. */
export type Engine =
  /** Resolves the tag and fetches the manifest, as Docker's own does (seen on 20.10.24). */
  | "pulls"
  /** As "pulls", but the failure is in the last line of an answer with status 200. */
  | "pulls, and fails later"
  /** Resolves the tag, and then asks this verifier: given image and digest it says why it refuses. */
  | ((image: string, digest: string) => string)
  /** Fails before it asks the registry. */
  | "fails"
  /** Never answers. */
  | "hangs";

/**
 * Listens on a Unix socket and answers `POST /images/create` as a Docker Engine does.
 *
 * @returns ends it
 */
export async function startStandInDocker(socket: string, engine: Engine): Promise<() => void> {
  const pull = async (query: URLSearchParams): Promise<[number, string]> => {
    if (engine === "fails") return [500, JSON.stringify({ message: "no space left on device" })];
    const [name, tag] = [query.get("fromImage") ?? "", query.get("tag") ?? ""];
    const [host, ...path] = name.split("/");
    const manifests = `http://${host}/v2/${path.join("/")}/manifests`;
    const digest = (await fetch(`${manifests}/${tag}`, { method: "HEAD" })).headers.get("docker-content-digest") ?? "";
    if (typeof engine === "function") return [500, JSON.stringify({ message: engine(`${name}:${tag}`, digest) })];
    const { status } = await fetch(`${manifests}/${digest}`);
    const message = `error parsing HTTP ${status} response body: unexpected end of JSON input`;
    if (engine === "pulls") return [500, JSON.stringify({ message })];
    return [
      200,
      `${JSON.stringify({ status: "Pulling" })}\r\n${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`,
    ];
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://docker");
    if (engine === "hangs") return;
    const isPull = request.method === "POST" && pathname === "/images/create";
    const answered = isPull ? pull(searchParams) : Promise.resolve<[number, string]>([404, ""]);
    void answered.then(([status, body]) => response.writeHead(status).end(body));
  });
  server.listen(socket);
  await once(server, "listening");
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
