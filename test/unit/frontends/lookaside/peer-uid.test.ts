import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { peerOf, rowOf, uidIn } from "../../../../src/frontends/lookaside/peer-uid.ts";

/** As proc_net_tcp(5) shows it; the peer's own socket is the second line. */
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:03B3 0100007F:9C52 01 00000000:00000000 00:00000000 00000000     0        0 340346 1 000000000dbce9c1 100
  17: 0100007F:9C52 0100007F:03B3 01 00000000:00000000 00:00000000 00000000  1000        0 340347 1 000000006be7679f 100
  18: 0100007F:9C53 0100007F:03B3 06 00000000:00000000 03:00000ED6 00000000     0        0 0 3 00000000e066792a
`;
const ENDS = { remoteAddress: "127.0.0.1", remotePort: 40018, localAddress: "127.0.0.1", localPort: 947 };

describe("the user of a connection", () => {
  it("is that of the peer's socket, not of the responder's", () => {
    expect(rowOf(ENDS, false)).toBe("0100007F:9C52 0100007F:03B3 01");
    expect(uidIn(TABLE, rowOf(ENDS, false) ?? "")).toBe(1000);
  });

  it("is unknown once the peer has closed, as the kernel then says 0", () => {
    expect(uidIn(TABLE, rowOf({ ...ENDS, remotePort: 40019 }, false) ?? "")).toBeUndefined();
  });

  it("is found by an IPv6 address, and by an IPv4 one in it", () => {
    const ends = { ...ENDS, remoteAddress: "::1", localAddress: "::1" };
    const ONE = "00000000000000000000000001000000";
    expect(rowOf(ends, false)).toBe(`${ONE}:9C52 ${ONE}:03B3 01`);
    const mapped = "0000000000000000FFFF00000100007F";
    expect(rowOf(ENDS, true)).toBe(`${mapped}:9C52 ${mapped}:03B3 01`);
    expect(rowOf(ends, true)).toBeUndefined();
  });

  it("is unknown without addresses", () => {
    expect(rowOf({ ...ENDS, remoteAddress: undefined }, false)).toBeUndefined();
    expect(peerOf({ ...ENDS, remoteAddress: undefined })).toBe("unknown");
    expect(peerOf({ ...ENDS, remotePort: 1, localPort: 1 })).toBe("unknown");
  });

  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])("is read of a real one to %s", async (address) => {
    const server = createServer();
    server.listen(0, address.includes(".") ? "127.0.0.1" : address);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const client = connect(port, address);
    const [[socket]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [
      [Socket],
      unknown,
    ];
    expect(peerOf(socket)).toBe(`uid ${process.getuid?.()}`);
    client.destroy();
    socket.destroy();
    server.close();
  });
});
