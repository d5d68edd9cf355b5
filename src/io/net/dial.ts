import { connect } from "node:net";

/**
 * Whether no connection is established in time, for example because packets are dropped. Bun's fetch has no connect
 * timeout, so a connection is opened first and closed again. A refused connection counts as an answer: the request that
 * follows reports it.
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
