import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http2";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { probe } from "../../../src/doctor/probe.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const root = makeTemporaryDirectory("probe");
afterAll(() => rmSync(root, { recursive: true, force: true }));

it.each([
  ["12", "ok", "does not serve CRI"],
  ["13", "problem", "failed, but not because this program refused it"],
])("a containerd that answers CRI with gRPC status %s", async (status, level, found) => {
  const address = join(root, `${status}.sock`);
  const server = createServer((_, response) => response.writeHead(200, { "grpc-status": status }).end());
  server.listen(address);
  await once(server, "listening");
  try {
    const { findings } = await probe({
      containerd: { address, version: "2.1.9", configPath: "", isListening: true, denied: [], unknown: [] },
      build: "b",
    });
    expect(findings[1]).toMatchObject({ level, found: expect.stringContaining(found) });
  } finally {
    server.close();
  }
});
