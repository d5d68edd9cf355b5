import { rmSync } from "node:fs";
import { createServer } from "node:http2";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodeField, readAll } from "../../../../src/platform/containerd/grpc.ts";
import { listImages, type NodeImage, pullable } from "../../../../src/platform/containerd/images.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;
const image = (name: string, digest = DIGEST, namespace = "k8s.io"): NodeImage => ({
  namespace,
  name,
  digest,
  mediaType: "m",
});
const names = (...images: readonly NodeImage[]) => pullable(images).map(({ name }) => name);

describe("pullable", () => {
  it("leaves out what no pull has: bare ids, and a second name by digest", () => {
    expect(names(image("a.b/c:v1"), image(`a.b/c@${DIGEST}`), image(DIGEST))).toEqual(["a.b/c:v1"]);
  });

  it("keeps what was pulled by digest alone, or means something else", () => {
    const all = [image(`a.b/c@${DIGEST}`), image("a.b/d:v1"), image(`a.b/e@${DIGEST}`), image("a.b/e:v1", OTHER)];
    expect(names(...all)).toEqual(all.map(({ name }) => name));
  });

  it("has an image once, with all its namespaces, and a name twice where it means two", () => {
    const found = pullable([image("a.b/c:v1"), image("a.b/c:v1", DIGEST, "default"), image("a.b/c:v1", OTHER)]);
    expect(found.map(({ digest, namespaces }) => [digest, namespaces])).toEqual([
      [DIGEST, ["k8s.io", "default"]],
      [OTHER, ["k8s.io"]],
    ]);
  });
});

describe("listImages", () => {
  const text = (number: number, value: string) => encodeField(number, Buffer.from(value));
  const entry = (name: string, digest: string) =>
    encodeField(
      1,
      Buffer.concat([
        text(1, name),
        encodeField(3, Buffer.concat([text(1, "m"), text(2, digest), Buffer.from([0x18, 0x80, 0x01])])),
      ]),
    );

  it("reads what containerd says of hostile names, from all namespaces", async () => {
    const folder = makeTemporaryDirectory("grpc");
    const socket = join(folder, "s");
    const asked: (string | undefined)[] = [];
    const server = createServer();
    server.on("stream", (stream, headers) => {
      const namespace = headers["containerd-namespace"]?.toString();
      asked.push(namespace);
      const isNamespaces = headers[":path"]?.includes("Namespaces") === true;
      const body = isNamespaces
        ? Buffer.concat([encodeField(1, text(1, "one")), encodeField(1, text(1, "two"))])
        : Buffer.concat(namespace === "one" ? [entry("a b\n\tc", DIGEST), entry("", "")] : []);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(body.length, 1);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat([prefix, body]));
    });
    await new Promise<void>((done) => server.listen(socket, done));
    try {
      expect(await listImages(socket, undefined, 5000)).toEqual([
        { namespace: "one", name: "a b\n\tc", digest: DIGEST, mediaType: "m" },
        { namespace: "one", name: "", digest: "", mediaType: "m" },
      ]);
      expect(asked).toEqual([undefined, "one", "two"]);
      await expect(listImages(socket, ["one", "three"], 5000)).rejects.toThrow('no namespace "three"');
      expect(await listImages(socket, ["two"], 5000)).toEqual([]);
    } finally {
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true });
    }
  });

  it("fails where nobody answers", async () => {
    await expect(listImages("/nowhere.sock", undefined, 1000)).rejects.toThrow();
  });

  it.each([[[0x0a, 0x05, 0x61]], [[0x0a]], [[0x0d, 1, 2, 3, 4]], [[0x80]]])(
    "refuses %j, which is no message",
    (bytes) => {
      expect(() => readAll(Uint8Array.from(bytes))).toThrow("protobuf");
    },
  );
});
