import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { staysSilent } from "../../../../src/io/net/dial.ts";
import { SilentPort } from "../../../support/silent-port.ts";

describe("staysSilent", () => {
  let silent: SilentPort;
  let open: Server;

  beforeAll(async () => {
    silent = await SilentPort.start();
    open = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => open.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    silent.stop();
    open.close();
  });

  const asked = (port: number, time: number, signal = new AbortController().signal) =>
    staysSilent(["127.0.0.1"], port, time, signal);

  it("is true of a host that takes no connection in time", async () => {
    expect(await asked(silent.port, 100)).toBe(true);
  });

  it("is false of one that takes it, or refuses it", async () => {
    const { port } = open.address() as AddressInfo;
    expect(await asked(port, 10_000)).toBe(false);
    expect(await staysSilent(["127.0.0.1", "127.0.0.2"], port, 10_000, new AbortController().signal)).toBe(false);
    expect(await asked(1, 10_000)).toBe(false);
  });

  it("ends with the exchange", async () => {
    const controller = new AbortController();
    const asking = asked(silent.port, 10_000, controller.signal);
    controller.abort();
    expect(await asking).toBe(false);
  });
});
