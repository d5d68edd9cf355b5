import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http2";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { lastOf, probe } from "../../../src/doctor/probe.ts";
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

it("quotes the end of a long message, from a word on", () => {
  const cause = 'verifier "atcr-verify" was killed after 12.5\u00b5s';
  const said = lastOf(`127.0.0.1:45145/${"x".repeat(400)} failed: ${cause}`);
  expect(said).toBe('... failed: verifier "atcr-verify" was killed after 12.5us');
  expect(lastOf(cause)).toBe('verifier "atcr-verify" was killed after 12.5us');
});
