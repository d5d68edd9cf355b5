import { request } from "node:http";

/** Bytes of an answer that are read. */
const MAX_ANSWER = 64 * 1024;

/**
 * Has a Docker Engine pull an image: `POST /images/create` of its API, in the version that it takes without one.
 *
 * @param socket absolute path of its Unix socket
 * @param name without a tag
 * @param timeout milliseconds
 * @returns why it failed, in the engine's words; undefined if it succeeded. Never rejects
 */
export function pullByDocker(socket: string, name: string, tag: string, timeout: number): Promise<string | undefined> {
  const path = `/images/create?${new URLSearchParams({ fromImage: name, tag }).toString()}`;
  return new Promise((resolve) => {
    const options = { socketPath: socket, path, method: "POST", headers: { host: "docker" } };
    const asked = request({ ...options, signal: AbortSignal.timeout(timeout) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text = (text + chunk).slice(0, MAX_ANSWER);
      });
      answer.on("end", () => resolve(failureIn(answer.statusCode ?? 0, text)));
      answer.on("error", (error) => resolve(error.message));
    });
    asked.on("error", (error) => resolve(error.message));
    asked.end();
  });
}

/** A pull that fails later ends with status 200 and a line with the key `error`. */
function failureIn(status: number, text: string): string | undefined {
  if (status !== 200) return `status ${status}: ${text}`;
  return text.split("\n").find((line) => /"error(?:Detail)?":/.test(line));
}
