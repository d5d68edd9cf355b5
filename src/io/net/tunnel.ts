import type { Socket } from "node:net";
import { percentDecoded } from "../../core/encoding/percent.ts";

/** Characters of a proxy's answer to CONNECT that are read. */
const MAX_HEAD = 8 * 1024;

/**
 * Opens a tunnel to a host through a proxy by CONNECT (RFC 9110, 9.3.6), for a TLS handshake.
 *
 * @param proxy URL of a plain http proxy, its host a checked address
 * @param authority `HOST:PORT`
 * @param time most milliseconds
 * @returns never rejects; undefined where the proxy does not connect in time
 */
export async function openTunnel(proxy: string, authority: string, time: number): Promise<Socket | undefined> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const { hostname, port, username, password } = new URL(proxy);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) });
    const end = (opened?: Socket): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on("error", () => {});
      resolve(opened);
      if (opened === undefined) socket.destroy();
    };
    const timer = setTimeout(end, time);
    const pair = Buffer.from(percentDecoded(`${username}:${password}`)).toString("base64");
    const field = username === "" ? "" : `Proxy-Authorization: Basic ${pair}\r\n`;
    socket.once("connect", () => socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${field}\r\n`));
    socket.once("error", () => end());
    socket.once("close", () => end());
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      // In TLS the client speaks first, so no data follows the head.
      if (head.endsWith("\r\n\r\n")) end(/^HTTP\/1\.[01] 2\d\d[ \r]/.test(head) ? socket : undefined);
      else if (head.length > MAX_HEAD) end();
    });
  });
}
