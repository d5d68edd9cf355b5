import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../../../src/core/config/parse-config.ts";
import { unusableFiles } from "../../../../src/io/settings/named-files.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

let folder: string;
beforeAll(() => {
  folder = makeTemporaryDirectory("named");
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the files that a configuration names", () => {
  it("may be a policy without which neither a pull is allowed nor a server starts", () => {
    const adviceOf = (config: object) => {
      const text = JSON.stringify({ trustPolicyPath: join(folder, "none.yaml"), ...config });
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

  it("may be a policy that is there, but has a mistake", () => {
    const path = join(folder, "policy.yaml");
    writeFileSync(path, "version: 2\n");
    const config = parseConfig(JSON.stringify({ trustPolicyPath: path }), "c.yaml");
    const nothing = () => {};
    expect(unusableFiles(config, () => false, nothing)).toMatchObject([
      {
        severity: "error",
        name: "file-unusable",
        key: "trustPolicyPath",
        advice: `until then, every pull is refused; atcr-verify policy check ${path} lists all its mistakes`,
      },
    ]);
    writeFileSync(path, "version: 1.0\n");
    expect(unusableFiles(config, () => false, nothing)).toEqual([]);
  });
});
