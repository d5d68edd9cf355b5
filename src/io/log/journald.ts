import { connect } from "node:net";

/** Finds the lines: `journalctl -t atcr-verify`. */
const IDENTIFIER = "atcr-verify";

/** Priorities of syslog(3) that are used. */
export type Priority = 3 | 4 | 5 | 6;

/**
 * Sends one line to journald, like a service's standard output.
 *
 * @param socket path of a stream socket
 * @param maxWait timeout in milliseconds
 * @throws Error where it was not accepted in that time
 */
export async function sendToJournal(socket: string, line: string, priority: Priority, maxWait: number): Promise<void> {
  // Identifier, unit, priority, whether lines start with their own priority, and three forwarding flags.
  const header = [IDENTIFIER, "", String(priority), "0", "0", "0", "0"].join("\n");
  await new Promise<void>((resolve, reject) => {
    const stream = connect(socket);
    const timer = setTimeout(() => {
      stream.destroy();
      reject(new Error(`journald did not accept the line within ${maxWait} ms`));
    }, maxWait);
    stream.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    stream.end(`${header}\n${line}`, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Why the socket does not accept lines, as a clause; undefined where it does. Sends nothing. @param maxWait milliseconds */
export function whySilent(socket: string, maxWait: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const stream = connect(socket);
    const end = (why?: string): void => {
      stream.destroy();
      resolve(why);
    };
    stream.setTimeout(maxWait, () => end(`no answer within ${maxWait / 1000} s`));
    stream.on("error", (error) => end(error.message));
    stream.on("connect", () => end());
  });
}
