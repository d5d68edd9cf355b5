import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { credentialSource, namesHost } from "../../../../src/io/registry/credentials.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const folder = makeTemporaryDirectory("credentials");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const auth = Buffer.from("user:secret").toString("base64");
const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
  return path;
};
const NAMED = file("named.json", { auths: { "atcr.io": { auth } } });
const OTHER = file("other.json", { auths: { "other.example": { auth } } });
const ABSENT = join(folder, "absent.json");

const lookUp = (files: readonly string[], host = "atcr.io") => {
  const source = credentialSource({ files, realms: new Map() }, {}, new Deadline(performance.now() + 1000), warned([]));
  return source({ host, path: "alice.example.com/app", timeout: 100 });
};

describe("credentialSource, where there are no credentials", () => {
  it("says which files were read, and which do not exist", async () => {
    expect(await lookUp([OTHER, NAMED, ABSENT], "third.example")).toEqual({
      problems: [],
      searched: `no credentials for third.example in ${OTHER}, ${NAMED}; ${ABSENT} does not exist`,
    });
    expect((await lookUp([ABSENT, `${ABSENT}2`])).searched).toBe(
      `no credentials for atcr.io; ${ABSENT}, ${ABSENT}2 do not exist`,
    );
  });

  it("says nothing of that where there are some", async () => {
    expect(await lookUp([ABSENT, NAMED])).not.toHaveProperty("searched");
  });

  it("names a file that cannot be used as such alone", async () => {
    const { problems, searched } = await lookUp([file("broken.json", "{"), OTHER]);
    expect(problems).toHaveLength(1);
    expect(searched).toContain(OTHER);
  });
});

describe("namesHost", () => {
  const names = (content: unknown, host = "registry.corp.example") =>
    namesHost({ files: [file("asked.json", content)], realms: new Map() }, {}, host);

  it.each([
    ["the host", { auths: { "registry.corp.example": { auth } } }, true],
    ["the host, empty beside a helper for all", { credsStore: "x", auths: { "registry.corp.example": {} } }, true],
    ["a repository of the host", { auths: { "registry.corp.example/team/app": { auth } } }, true],
    ["a helper for the host", { credHelpers: { "registry.corp.example": "x" } }, true],
    ["a pattern for the host", { auths: { "*.corp.example": { auth } } }, true],
    ["a helper for all hosts", { credsStore: "x" }, false],
    ["another host that begins like it", { auths: { "registry.corp.example.evil": { auth } } }, false],
    ["nothing", {}, false],
    ["what is no JSON", "{", false],
  ])("by %s", (_, content, expected) => {
    expect(names(content)).toBe(expected);
  });

  it("looks into all files", () => {
    expect(namesHost({ files: [ABSENT, OTHER, NAMED], realms: new Map() }, {}, "atcr.io")).toBe(true);
    expect(namesHost({ files: [ABSENT], realms: new Map() }, {}, "atcr.io")).toBe(false);
  });
});
