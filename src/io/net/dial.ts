import { connect } from "node:net";

/**
 * Whether a host takes no connection in time, as where its packets are dropped. Bun's fetch has no limit for that
 * alone, so a connection is tried before, and closed again. An address that refuses is not silent: what asks it then
 * says so.
 *
 * @param addresses that have been checked
 * @param time milliseconds
 */
export function staysSilent(
  addresses: readonly string[],
  port: number,
  time: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const sockets = addresses.map((host) => connect({ host, port }));
    const end = (isSilent: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      for (const socket of sockets) socket.destroy();
      resolve(isSilent);
    };
    const aborted = (): void => end(false);
    const timer = setTimeout(() => end(true), time);
    signal.addEventListener("abort", aborted);
    let refused = 0;
    for (const socket of sockets) {
      socket.once("connect", () => end(false));
      socket.on("error", () => {
        refused++;
        if (refused === sockets.length) end(false);
      });
    }
  });
}
