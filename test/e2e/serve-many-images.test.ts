import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import type { Exchange } from "../support/http-server.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";
import { MANIFEST_COLLECTION, manifestRecord } from "../support/signed-repo.ts";

// More images than the server's memory holds, each asked about by its digest.

const IMAGES = 5000;
/** Every fifth is unsigned. */
const isSigned = (index: number) => index % 5 !== 0;
const LAYERS = 64;
const MIB = 1024 * 1024;
/** `MAX_BYTES` and `MAX_PIECES` of src/io/store/memory-cache.ts. */
const [MAX_BYTES, MAX_PIECES] = [24 * MIB, 4096];
/** Images of a request, and requests at a time: what waits must be judged within the deadline. */
const [BATCH, AT_ONCE] = [50, 4];

let node: TestNode;
let daemon: ServeDaemon;
let agent: Agent;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const keyOf = (index: number) => sha256(`image ${index}`);
const ALL = Array.from({ length: IMAGES }, (_, index) => index);

/** A record that lists an image's layers, as ATCR's do. */
function recordOf(index: number) {
  const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
  const layers = Array.from({ length: LAYERS }, (_, layer) => ({
    mediaType,
    digest: `sha256:${sha256(`layer ${layer} of ${index}`)}`,
    size: 1_000_000 + layer,
  }));
  return { ...manifestRecord(`sha256:${keyOf(index)}`, "app"), layers };
}

/** As the reference PDS answers: in chunks, without a Content-Length. */
async function stream({ request: { query }, outgoing }: Exchange): Promise<undefined> {
  const proof = await node.signer.repo.proof(String(query.get("collection")), String(query.get("rkey")));
  outgoing.setHeader("content-type", "application/vnd.ipld.car");
  outgoing.write(proof.subarray(0, 1000));
  outgoing.end(proof.subarray(1000));
}

beforeAll(async () => {
  node = await TestNode.start();
  const records = ALL.filter(isSigned).map((index) => [keyOf(index), recordOf(index)] as const);
  await node.signer.repo.createAll(MANIFEST_COLLECTION, new Map(records), node.begun + 1000);
  node.pds.override("/xrpc/com.atproto.sync.getRecord", stream);
  daemon = await ServeDaemon.start(node, { settings: { cacheEnabled: true } });
  agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE, ca: daemon.ca });
}, 120_000);
afterAll(async () => {
  agent?.destroy();
  await daemon?.stop();
  await node?.stop();
});

/** @returns the code of each, in their order */
async function codesOf(indexes: readonly number[]): Promise<readonly string[]> {
  const images = indexes.map((index) => `${node.registry.authority}/alice/app@sha256:${keyOf(index)}`);
  const asking = request({ host: "127.0.0.1", port: daemon.port, path: "/v1/verify", method: "POST", agent });
  asking.end(JSON.stringify({ images }));
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  const { results } = JSON.parse(text) as { results: readonly { image: string; code: string }[] };
  expect(results.map(({ image }) => image)).toEqual(images);
  return results.map(({ code }) => code);
}

/** What is wrong with the verdicts about these images. */
async function mistakes(indexes: readonly number[]): Promise<readonly string[]> {
  const codes = await codesOf(indexes);
  return indexes.flatMap((index, at) => {
    const expected = isSigned(index) ? "signed" : "signature.none";
    return codes[at] === expected ? [] : [`image ${index}: ${codes[at]}, expected ${expected}`];
  });
}

async function remembered(): Promise<Readonly<Record<string, number>>> {
  const response = await fetch(`http://127.0.0.1:${daemon.plainPort}/metrics`);
  const lines = (await response.text()).matchAll(/^atcr_verify_server_remembered\{what="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, what, count]) => [what, Number(count)]));
}

/** Bytes that are resident now, about a fifth of them pages of the program's file. */
function memory(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) * 1024;
}

const asked = () => node.pds.requests.length;

describe(`${IMAGES} images`, () => {
  it("are each judged by their own signature, in a memory that stays within its bounds", async () => {
    const waiting = Array.from({ length: IMAGES / BATCH }, (_, batch) => ALL.slice(batch * BATCH, (batch + 1) * BATCH));
    const sizes: Readonly<Record<string, number>>[] = [];
    const wrong: string[] = [];
    const workers = Array.from({ length: AT_ONCE }, async () => {
      for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
        wrong.push(...(await mistakes(batch)));
        sizes.push({ ...(await remembered()), memory: memory() });
      }
    });
    await Promise.all(workers);
    expect(wrong).toEqual([]);
    expect(sizes.filter(({ bytes = Number.NaN }) => !(bytes <= MAX_BYTES))).toEqual([]);
    expect(sizes.filter(({ pieces = Number.NaN }) => !(pieces <= MAX_PIECES))).toEqual([]);
    expect(sizes.filter(({ memory = Number.NaN }) => !(memory < 256 * MIB))).toEqual([]);
  });

  it("are forgotten the longest unused first, and judged as before when they are asked about again", async () => {
    const before = asked();
    const newest = ALL.slice(-BATCH);
    expect(await mistakes(newest)).toEqual([]);
    expect(asked() - before).toBe(newest.filter((index) => !isSigned(index)).length);
    const oldest = ALL.slice(0, BATCH);
    const since = asked();
    expect(await mistakes(oldest)).toEqual([]);
    expect(asked() - since).toBe(oldest.length);
  });
});
