import { describe, expect, it } from "vitest";
import { invocationOf } from "../../../src/frontends/start.ts";

const never = () => Promise.reject(new Error("stdin was looked at"));

describe("an invocation", () => {
  it.each([
    ["-name"],
    ["-name=x"],
    ["-name=a\nb"],
    ["-digest", "x"],
    ["-stdin-media-type"],
    ["-operation", "pull"],
    ["-later-flag", "-name", "x"],
    ["-later-flag", "value", "-operation=pull"],
    ["--help", "-digest"],
    ["verify", "-name"],
    ["-version", "-name", "x"],
  ])("is containerd's where one of its flags stands anywhere: %j", async (...args) => {
    expect(await invocationOf(args, {}, never)).toBe("containerd");
  });

  it.each([
    ["verify"],
    ["--name", "x"],
    ["--help"],
    ["-h"],
    ["-v"],
    ["-help"],
    ["-verbose"],
    ["-later-flag"],
    ["-names"],
    ["-n=x"],
    ["-"],
    ["--"],
    [""],
    ["-1name"],
    ["--version", "verify"],
    ["-version", "x"],
  ])("is a command otherwise: %j", async (...args) => {
    expect(await invocationOf(args, {}, never)).toBe("command");
  });

  it.each([["--version"], ["-version"], ["-V"]])("asks for the version: %j", async (...args) => {
    expect(await invocationOf(args, {}, never)).toBe("version");
  });

  it("is Ratify's by its variable, where there are no arguments", async () => {
    const environment = { RATIFY_VERIFIER_COMMAND: "VERIFY" };
    expect(await invocationOf([], environment, never)).toBe("ratify");
    expect(await invocationOf([], { RATIFY_VERIFIER_COMMAND: "LIST" }, never)).toBe("ratify");
    expect(await invocationOf([], { RATIFY_VERIFIER_COMMAND: "" }, async () => false)).toBe("containerd");
    expect(await invocationOf(["-name", "x"], environment, never)).toBe("containerd");
    expect(await invocationOf(["-later-flag", "-digest=x"], environment, never)).toBe("containerd");
    expect(await invocationOf(["verify"], environment, never)).toBe("command");
    expect(await invocationOf([""], environment, never)).toBe("command");
    expect(await invocationOf(["--version"], environment, never)).toBe("version");
  });

  it("follows from the standard input where there are no arguments", async () => {
    expect(await invocationOf([], {}, async () => false)).toBe("containerd");
    expect(await invocationOf([], {}, async () => true)).toBe("command");
  });
});
