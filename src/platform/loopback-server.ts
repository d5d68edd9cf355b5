import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of the doctor's, which programs of this node are asked to contact. */
export interface LoopbackServer {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** Has a server listen on a free port of loopback. @throws Error where it cannot listen */
export async function listenOnLoopback(server: Server): Promise<LoopbackServer> {
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
  return { host: `127.0.0.1:${port}`, stop };
}
