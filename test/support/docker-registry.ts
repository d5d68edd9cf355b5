import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianTool } from "./debian-tools.ts";
import { makeTemporaryDirectory, startServer } from "./process.ts";

export interface Registry {
  /** `127.0.0.1:PORT`, as in image names. */
  readonly host: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Its access log among other things. */
  readonly log: () => string;
  stop(): Promise<void>;
}

/**
 * Starts Debian's docker-registry on a free port of 127.0.0.1, with plain http and its storage in a
 * temporary directory. Version 2.8 has no Referrers API: it answers 404, and referrers are found by
 * the tag fallback.
 */
export async function startDockerRegistry(): Promise<Registry> {
  const directory = makeTemporaryDirectory("registry");
  const config = join(directory, "config.json");
  // YAML is a superset of JSON.
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: "info" },
      storage: { filesystem: { rootdirectory: join(directory, "storage") }, delete: { enabled: true } },
      http: { addr: "127.0.0.1:0", secret: "only of this test" },
    }),
  );
  const listening = /listening on (127\.0\.0\.1:\d+)/;
  try {
    const server = await startServer({
      name: "docker-registry",
      command: debianTool("docker-registry"),
      args: ["serve", config],
      env: { PATH: "/usr/bin:/bin" },
      logFile: join(directory, "log"),
      ready: (log) => listening.test(log),
    });
    const host = listening.exec(server.log())?.[1] as string;
    return {
      host,
      url: `http://${host}`,
      log: server.log,
      async stop() {
        await server.stop();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}
