import { describe, expect, it } from "vitest";
import { entryFor, readHelperAnswer } from "../../../../src/core/oci/docker-config.ts";

const auth = (text: string) => Buffer.from(text).toString("base64");
const password = (username: string, secret: string) => ({
  credential: { kind: "password", username, password: secret },
});

describe("entryFor", () => {
  it.each([
    ["auth", { auth: auth("user:pa:ss") }, password("user", "pa:ss")],
    ["auth with padding that docker once wrote", { auth: auth("user:pass\0\0") }, password("user", "pass")],
    ["an empty password", { auth: auth("user:") }, password("user", "")],
    ["username and password", { username: "user", password: "pass" }, password("user", "pass")],
    [
      "an identity token",
      { auth: auth("u:p"), identitytoken: "tok" },
      { credential: { kind: "identity token", token: "tok" } },
    ],
    ["a registry token", { registrytoken: "tok" }, { credential: { kind: "registry token", token: "tok" } }],
    ["nothing", {}, undefined],
    ["an entry that is none", "text", undefined],
    ["an entry of null", null, undefined],
  ])("reads %s", (_, entry, expected) => {
    expect(entryFor({ auths: { "a.example": entry } }, "a.example", "team/app")).toEqual(expected);
  });

  it.each([
    ["no base64", "%%%"],
    ["no colon", auth("user")],
    ["no user", auth(":secret")],
    ["no UTF-8", Buffer.from([0xff, 0x3a, 0xff]).toString("base64")],
  ])("refuses an auth with %s, without repeating it", (_, text) => {
    const found = entryFor({ auths: { "a.example": { auth: text } } }, "a.example", "app");
    expect(found).toMatch(/^the entry for a\.example has an auth/);
    expect(found).not.toContain("secret");
  });

  it("takes the longest name", () => {
    const auths = Object.fromEntries(
      ["a.example", "a.example/team", "a.example/team/app", "a.example/te"].map((name) => [
        name,
        { auth: auth(`${name}:x`) },
      ]),
    );
    const user = (path: string, host = "a.example") => {
      const found = entryFor({ auths }, host, path);
      return typeof found === "object" && "credential" in found && found.credential.kind === "password"
        ? found.credential.username
        : undefined;
    };
    expect(user("team/app")).toBe("a.example/team/app");
    expect(user("team/other")).toBe("a.example/team");
    expect(user("teams/app")).toBe("a.example");
    expect(user("team/app", "b.example")).toBeUndefined();
    expect(user("team/app", "a.example:5000")).toBeUndefined();
  });

  it.each([
    ["docker.io", "https://index.docker.io/v1/"],
    ["docker.io", "index.docker.io"],
    ["docker.io", "docker.io"],
    ["docker.io", "https://registry-1.docker.io/v2/"],
    ["docker.io", "docker.io/library"],
    ["a.example", "https://a.example"],
    ["a.example", "https://a.example/v1/"],
    ["a.example", "http://a.example/v2"],
    ["a.example", "a.example:443"],
    ["a.example:5000", "a.example:5000"],
  ])("finds %s under %s", (host, key) => {
    expect(entryFor({ auths: { [key]: { auth: auth("u:p") } } }, host, "library/nginx")).toEqual(password("u", "p"));
  });

  it.each([
    ["*.example", "a.example"],
    ["https://*.example/v1/", "a.example"],
    ["*.example:5000", "a.example:5000"],
    ["*.*.example", "a.b.example"],
    ["reg*y.example", "registry.example"],
    ["a*a.example", "aa.example"],
    ["*.example/team", "a.example"],
    ["*.example/team/app", "a.example"],
  ])("takes %s for %s, as the kubelet does", (key, host) => {
    expect(entryFor({ auths: { [key]: { auth: auth("u:p") } } }, host, "team/app")).toEqual(password("u", "p"));
  });

  it.each([
    ["*.example", "example"],
    ["*.example", "a.b.example"],
    ["*.example", "a.example.evil"],
    ["*", "a.example"],
    ["*.example", "a.example:5000"],
    ["*.example:5000", "a.example"],
    ["a*a.example", "a.example"],
    ["*.example/tea", "a.example"],
    ["*.example/other", "a.example"],
    ["a?.example", "ab.example"],
    ["[a].example", "a.example"],
  ])("does not take %s for %s", (key, host) => {
    expect(entryFor({ auths: { [key]: { auth: auth("u:p") } } }, host, "team/app")).toBeUndefined();
  });

  it("takes a name before a pattern, and the longest pattern", () => {
    const auths = { "*.example": { auth: auth("long:x") }, "*.*": { auth: auth("short:x") } };
    expect(entryFor({ auths }, "a.example", "app")).toEqual(password("long", "x"));
    const named = { ...auths, "a.example": { auth: auth("name:x") } };
    expect(entryFor({ auths: named }, "a.example", "app")).toEqual(password("name", "x"));
    expect(entryFor({ auths, credsStore: "pass" }, "a.example", "app")).toEqual(password("long", "x"));
  });

  it("asks the program for the host before a secret, and the general one last", () => {
    const file = {
      auths: { "a.example": { auth: auth("u:p") }, "b.example": { auth: auth("u:p") }, "c.example": {} },
      credHelpers: { "a.example": "ecr-login" },
      credsStore: "pass",
    };
    expect(entryFor(file, "a.example", "app")).toEqual({ helper: "ecr-login", server: "a.example" });
    expect(entryFor(file, "b.example", "app")).toEqual(password("u", "p"));
    expect(entryFor(file, "c.example", "app")).toEqual({ helper: "pass", server: "c.example" });
    expect(entryFor(file, "docker.io", "library/nginx")).toEqual({
      helper: "pass",
      server: "https://index.docker.io/v1/",
    });
    expect(entryFor({ credsStore: "" }, "a.example", "app")).toBeUndefined();
  });

  it.each(["../evil", "a/b", "-x", "", ".x", "a b", "x".repeat(65)])("runs no program named %j", (helper) => {
    expect(typeof entryFor({ credHelpers: { "a.example": helper } }, "a.example", "app")).toBe("string");
  });

  it("survives files of other shapes", () => {
    for (const file of [{}, { auths: [] }, { auths: null, credHelpers: 1 }, { credsStore: {} }]) {
      expect(entryFor(file, "a.example", "app")).toBeUndefined();
    }
  });
});

describe("readHelperAnswer", () => {
  it.each([
    [
      { Username: "u", Secret: "s", ServerURL: "x" },
      { kind: "password", username: "u", password: "s" },
    ],
    [
      { Username: "<token>", Secret: "s" },
      { kind: "identity token", token: "s" },
    ],
    [{ Username: "u" }, undefined],
    [{ Username: "u", Secret: "" }, undefined],
    [{ Username: 1, Secret: "s" }, undefined],
    ["text", undefined],
    [null, undefined],
  ])("%j", (answer, expected) => {
    expect(readHelperAnswer(answer)).toEqual(expected);
  });
});
