import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { judge } from "../../../src/doctor/containers-probe.ts";
import { checkLookaside, checkNodeKey } from "../../../src/doctor/lookaside-checks.ts";

const BUILD = "0.2.0 0123456789ab";
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers every request so; `$HEX` is the digest of the question. */
async function portOf(status: number, phrase: string): Promise<number> {
  const server = createServer((request, response) => {
    const hex = /^\/atcr\.example\/atcr-verify-probe\/[0-9a-f]{16}@sha256=([0-9a-f]{64})\/signature-1$/.exec(
      request.url ?? "",
    )?.[1];
    response.writeHead(status, phrase.replace("$HEX", hex ?? "none")).end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

describe("checkLookaside", () => {
  const refused = `deny policy.probe: atcr-verify ${BUILD} was asked about sha256:$HEX, and always refuses it`;
  it.each([
    ["this build", 403, refused, "ok"],
    ["another build", 403, refused.replace("0123", "4567"), "warning"],
    ["an answer about another digest", 403, refused.replace("$HEX", "0".repeat(64)), "problem"],
    ["an answer that is no refusal", 200, refused, "problem"],
    ["another server", 404, "Not Found", "problem"],
  ])("knows %s", async (_, status, phrase, level) => {
    const port = await portOf(status, phrase);
    const found = await checkLookaside({ address: "127.0.0.1", port, keyFile: "/k" }, "atcr.example", BUILD);
    expect([found.name, found.level]).toEqual(["containers-daemon", level]);
  });

  it("says that nothing answers", async () => {
    const port = await portOf(200, "OK");
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    const found = await checkLookaside({ address: "127.0.0.1", port, keyFile: "/k" }, "atcr.example", BUILD);
    expect([found.name, found.level, found.found]).toEqual([
      "containers-daemon",
      "problem",
      expect.stringContaining("does not answer"),
    ]);
  });
});

describe("checkNodeKey", () => {
  const folder = mkdtempSync(join(tmpdir(), "node-key-"));
  const keyFile = join(folder, "node.key");
  const pair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
  const write = (one = pair(), other = one) => {
    writeFileSync(keyFile, one.privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(`${keyFile}.pub`, other.publicKey.export({ type: "spki", format: "pem" }));
  };
  const level = (foreign?: string) => checkNodeKey({ keyFile }, () => foreign).level;

  it("knows a key that is missing, this machine's, another machine's, another one, half a pair, and none", () => {
    expect(level()).toBe("warning");
    write();
    expect([level(), level("it was made elsewhere")]).toEqual(["ok", "problem"]);
    write(pair(), pair());
    expect(level()).toBe("problem");
    rmSync(keyFile);
    expect(level()).toBe("problem");
    writeFileSync(keyFile, "-----BEGIN PRIVATE KEY-----\n");
    expect(level()).toBe("problem");
    rmSync(folder, { recursive: true });
  });
});

describe("what a pull by skopeo or podman proves", () => {
  const digest = `sha256:${"1".repeat(64)}`;
  const said = `level=fatal msg="Source image rejected: received unexpected HTTP status: 403 deny policy.probe: atcr-verify ${BUILD} was asked about ${digest}, and always refuses it"`;
  it.each([
    ["refused by this build", { isRefused: true, said, digest }, "ok"],
    ["let through", { isRefused: false, said, digest }, "problem"],
    [
      "refused where signatures are copied, not demanded",
      { isRefused: true, said: said.replace("Source image rejected", "reading signatures"), digest },
      "problem",
    ],
    ["refused by another build", { isRefused: true, said: said.replace("0123", "4567"), digest }, "problem"],
    ["refused for another image", { isRefused: true, said, digest: `sha256:${"2".repeat(64)}` }, "problem"],
    [
      "refused for want of a signature",
      { isRefused: true, said: "A signature was required, but no signature exists", digest },
      "problem",
    ],
  ])("%s", (_, pulled, level) => {
    const found = judge({ program: "/usr/bin/skopeo", host: "atcr.example", build: BUILD }, pulled);
    expect([found.name, found.level]).toEqual(["containers-probe", level]);
  });
});
