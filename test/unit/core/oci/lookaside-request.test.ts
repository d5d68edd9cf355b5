import { describe, expect, it } from "vitest";
import { parseLookasideTarget } from "../../../../src/core/oci/lookaside-request.ts";

const HEX = "0123456789abcdef".repeat(4);
const target = (name = "registry.example:5000/team/app", number = "1", hex = HEX) =>
  `/${name}@sha256=${hex}/signature-${number}`;

describe("the target of a request for a signature", () => {
  it("names an image by its digest, without a tag", () => {
    expect(parseLookasideTarget(target())).toEqual({
      name: { host: "registry.example:5000", path: "team/app" },
      digest: `sha256:${HEX}`,
      number: 1,
    });
    expect(parseLookasideTarget(target("[::1]:5000/a"))).toMatchObject({ name: { host: "[::1]:5000", path: "a" } });
    expect(parseLookasideTarget(target("docker.io/library/nginx", "128"))).toMatchObject({ number: 128 });
  });

  it.each([
    "",
    "/",
    "*",
    target().slice(1),
    `/${target()}`,
    `http://127.0.0.1:947${target()}`,
    `${target()}?a=b`,
    `${target()}#a`,
    `${target()}/`,
    `${target()}\n`,
    `${target()}\0`,
    target("team/app"),
    target("nginx"),
    target("docker.io/nginx"),
    target("index.docker.io/library/nginx"),
    target("registry.example/team/app:v1"),
    target("registry.example/team/../app"),
    target("registry.example/team//app"),
    target("registry.example/team/./app"),
    target("registry.example/team/%61pp"),
    target("registry.example%2fteam/app"),
    target("registry.example/Team/app"),
    target("Registry.example/team/app"),
    target("registry.example/team\\app"),
    target("registry.example/team app"),
    target("user@registry.example/app"),
    target("user:password@registry.example/app"),
    target("registry.example:05000/app"),
    target("registry.example:99999/app"),
    target("127.1:5000/app"),
    target("0x7f000001:5000/app"),
    target("registry.example/\u{430}pp"),
    target(`registry.example/${"a".repeat(256)}`),
    target(`registry.example/${"a/".repeat(10_000)}a`),
    target(undefined, "0"),
    target(undefined, "01"),
    target(undefined, "129"),
    target(undefined, "999"),
    target(undefined, "1000"),
    target(undefined, "-1"),
    target(undefined, "1e1"),
    target(undefined, ""),
    target(undefined, "1", HEX.toUpperCase()),
    target(undefined, "1", HEX.slice(1)),
    target(undefined, "1", `${HEX}0`),
    target().replace("sha256=", "sha256:"),
    target().replace("sha256=", "sha512="),
    target().replace("@", "%40"),
    target().replace("@", `@sha256=${HEX}@`),
    target().replace("signature-", "Signature-"),
  ])("is not %j", (hostile) => {
    expect(parseLookasideTarget(hostile)).toEqual(expect.any(String));
  });

  it("is read in time, however long it is", () => {
    const begun = performance.now();
    for (const part of ["/", "@", "a.", "sha256=", "%2e"])
      parseLookasideTarget(target(`r.example/${part.repeat(1e6)}`));
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});
