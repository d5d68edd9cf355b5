import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../../../src/core/config/parse-config.ts";
import { unusableFiles } from "../../../../src/io/settings/named-files.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

let folder: string;
beforeAll(() => {
  folder = makeTemporaryDirectory("named");
  for (const name of ["policy.yaml", "tls.crt", "tls.key"]) writeFileSync(join(folder, name), "version: 1.0\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

function findingsOf(server: object): readonly (readonly [severity: string, name: string, key: string])[] {
  const text = JSON.stringify({ trustPolicyPath: join(folder, "policy.yaml"), server });
  const config = parseConfig(text, "c.yaml");
  const found = unusableFiles(
    config,
    (key) => key.startsWith("server"),
    () => {},
  );
  for (const { message } of found) expect(message).toMatch(/the server does not start$/);
  return found.map(({ severity, name, key }) => [severity, name, key]);
}

describe("the files of a server", () => {
  const at = (name: string): string => join(folder, name);

  it("are warned of where they are missing, but for break-glass", () => {
    const tls = { certFile: at("tls.crt"), keyFile: at("none.key"), clientCaFile: at("none.crt") };
    const server = {
      listen: "127.0.0.1:1",
      tls,
      tokenFiles: [at("none")],
      policies: { a: at("a"), b: at("policy.yaml") },
    };
    expect(findingsOf({ ...server, breakGlassFile: at("none") })).toEqual([
      ["warning", "file-missing", "server.tls"],
      ["warning", "file-missing", "server.tls"],
      ["warning", "file-missing", "server.tokenFiles"],
      ["warning", "file-missing", "server.policies"],
    ]);
  });

  it("are not mentioned where they are there", () => {
    const tls = { certFile: at("tls.crt"), keyFile: at("tls.key") };
    expect(findingsOf({ listeners: [{ listen: "0.0.0.0:1", gates: ["admit"], tls }] })).toEqual([]);
  });

  it("may be a policy without which neither a pull is allowed nor a server starts", () => {
    const adviceOf = (config: object) => {
      const text = JSON.stringify({ trustPolicyPath: at("none.yaml"), ...config });
      return unusableFiles(
        parseConfig(text, "c.yaml"),
        () => false,
        () => {},
      ).map(({ advice }) => advice);
    };
    expect(adviceOf({})).toEqual(["until then, every pull is refused"]);
    expect(adviceOf({ server: { listen: "127.0.0.1:1" } })).toContain(
      "until then, every pull is refused, and the server does not start",
    );
  });

  it("are warned of where they cannot be used", () => {
    expect(findingsOf({ listen: "127.0.0.1:1", policies: { a: folder } })).toEqual([
      ["warning", "file-unusable", "server.policies"],
    ]);
  });
});
