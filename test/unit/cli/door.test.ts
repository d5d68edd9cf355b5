import { describe, expect, it } from "vitest";
import { isContainerdDoor } from "../../../src/cli/door.ts";

const never = () => Promise.reject(new Error("stdin was looked at"));

describe("the door", () => {
  it.each([
    ["-name"],
    ["-name=x"],
    ["-digest", "x"],
    ["-stdin-media-type"],
    ["-operation", "pull"],
    ["-later-flag"],
    ["-Xy"],
  ])("is containerd's where a long flag with one dash comes first: %s", async (...args) => {
    expect(await isContainerdDoor(args, never)).toBe(true);
  });

  it.each([
    ["verify"],
    ["--name", "x"],
    ["--help"],
    ["-h"],
    ["-v"],
    ["-n=x"],
    ["-"],
    ["--"],
    [""],
    ["-1name"],
    ["verify", "-name"],
  ])("is a person's otherwise: %s", async (...args) => {
    expect(await isContainerdDoor(args, never)).toBe(false);
  });

  it("follows from the standard input where there are no arguments", async () => {
    expect(await isContainerdDoor([], async () => false)).toBe(true);
    expect(await isContainerdDoor([], async () => true)).toBe(false);
  });
});
