import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { encodeField } from "../../../../src/platform/containerd/grpc.ts";
import { askServer } from "../../../../src/platform/containerd/server-answers.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("server");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const text = (number: number, value: string) => encodeField(number, Buffer.from(value));
/** A number, which google.rpc.Status has as its code. */
const CODE = Uint8Array.of(0x08, 0x02);
const PLUGINS = Buffer.concat([
  encodeField(1, Buffer.concat([text(1, "io.containerd.a.v1"), text(2, "x"), text(3, "io.containerd.b.v1")])),
  encodeField(
    1,
    Buffer.concat([
      text(1, "io.containerd.b.v1"),
      text(2, "y"),
      encodeField(7, Buffer.concat([CODE, text(2, "no space")])),
    ]),
  ),
  encodeField(1, Buffer.concat([text(1, "io.containerd.c.v1"), text(2, "z"), encodeField(7, CODE)])),
]);

/** A server on a Unix socket that gives these answers by method, and the gRPC status 12 otherwise. */
async function answering(name: string, answers: Readonly<Record<string, Uint8Array | "silence">>) {
  const address = join(root, name);
  const server = createServer();
  // The client disconnects as soon as it has its answer.
  server.on("session", (session) => session.on("error", () => {}));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    const answer = answers[`${headers[":path"]}`.split("/").at(-1) ?? ""];
    if (answer === "silence") return;
    if (answer === undefined) return stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true });
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(answer.length, 1);
    stream.end(Buffer.concat([prefix, answer]));
  });
  server.listen(address);
  await once(server, "listening");
  return { address, close: () => server.close() };
}

describe("a containerd", () => {
  it("says its version, and which plugins are loaded or why not", async () => {
    const server = await answering("a", { Version: text(1, "v2.3.4-k3s1"), Plugins: PLUGINS });
    const { version, plugins, unanswered } = await askServer(server.address, 2000);
    server.close();
    expect([version, unanswered]).toEqual(["2.3.4-k3s1", []]);
    expect([...(plugins ?? [])]).toEqual([
      ["io.containerd.a.v1.x", "ok"],
      ["io.containerd.b.v1.y", "no space"],
      ["io.containerd.c.v1.z", "it failed to start"],
    ]);
  });

  it("of which nothing is listening, or that does not know the question, is not guessed about", async () => {
    const server = await answering("b", { Version: text(2, "only a revision") });
    for (const address of [server.address, join(root, "none")]) {
      const { version, plugins, unanswered } = await askServer(address, 2000);
      expect([version, plugins, unanswered.length]).toEqual([undefined, undefined, 2]);
    }
    server.close();
  });

  it("that is silent is not waited for", async () => {
    const server = await answering("c", { Version: "silence", Plugins: PLUGINS });
    const { version, plugins, unanswered } = await askServer(server.address, 100);
    server.close();
    expect([version, plugins?.size]).toEqual([undefined, 3]);
    expect(unanswered).toEqual([expect.stringContaining("did not answer within 0.1 s")]);
  });

  it("that answers with what is no message is not guessed about", async () => {
    const server = await answering("d", { Version: text(1, "2.1.9"), Plugins: Uint8Array.of(0x0a, 0x7f) });
    const { version, plugins } = await askServer(server.address, 2000);
    server.close();
    expect([version, plugins]).toEqual(["2.1.9", undefined]);
  });
});
