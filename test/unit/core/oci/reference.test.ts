import { describe, expect, it } from "vitest";
import { formatReference, normaliseReference, parseReference } from "../../../../src/core/oci/reference.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

function codeOf(action: () => unknown): string {
  try {
    return `accepted: ${JSON.stringify(action())}`;
  } catch (error) {
    if (error instanceof Rejection) return error.code;
    throw error;
  }
}

describe("parseReference", () => {
  it.each([
    ["atcr.io/alice.example.com/app", { host: "atcr.io", path: "alice.example.com/app" }],
    ["atcr.io/alice/app:v1", { host: "atcr.io", path: "alice/app", tag: "v1" }],
    [`atcr.io/alice/app@${DIGEST}`, { host: "atcr.io", path: "alice/app", digest: DIGEST }],
    [`atcr.io/alice/app:v1@${DIGEST}`, { host: "atcr.io", path: "alice/app", tag: "v1", digest: DIGEST }],
    ["registry.example.com/app", { host: "registry.example.com", path: "app" }],
    ["registry:5000/app", { host: "registry:5000", path: "app" }],
    ["localhost/app", { host: "localhost", path: "app" }],
    ["localhost:5000/a/b/c:latest", { host: "localhost:5000", path: "a/b/c", tag: "latest" }],
    ["127.0.0.1:5000/app", { host: "127.0.0.1:5000", path: "app" }],
    ["[::1]:5000/app:v1", { host: "[::1]:5000", path: "app", tag: "v1" }],
    ["[2001:db8::1]/app", { host: "[2001:db8::1]", path: "app" }],
    ["atcr.io:443/alice/app", { host: "atcr.io", writtenHost: "atcr.io:443", path: "alice/app" }],
    ["registry:443/app", { host: "registry", writtenHost: "registry:443", path: "app" }],
    ["[::1]:443/app", { host: "[::1]", writtenHost: "[::1]:443", path: "app" }],
    ["atcr.io:4433/alice/app", { host: "atcr.io:4433", path: "alice/app" }],
    ["atcr.io:65535/app", { host: "atcr.io:65535", path: "app" }],
    ["docker.io/library/nginx:1.25", { host: "docker.io", path: "library/nginx", tag: "1.25" }],
    ["xn--bcher-kva.example/app", { host: "xn--bcher-kva.example", path: "app" }],
    ["a.b/c.d_e__f---g/0", { host: "a.b", path: "c.d_e__f---g/0" }],
    [`a.b/c:${"T".repeat(128)}`, { host: "a.b", path: "c", tag: "T".repeat(128) }],
    ["a.b/c:_.-", { host: "a.b", path: "c", tag: "_.-" }],
    [`a.b/${"c".repeat(255)}`, { host: "a.b", path: "c".repeat(255) }],
  ])("reads %s", (text, reference) => {
    expect(parseReference(text)).toEqual(reference);
  });

  describe("refuses what another program would read as another host or path", () => {
    it.each([
      "",
      "/",
      "nginx",
      "nginx:1.25",
      "alice/app",
      "docker.io/nginx",
      "docker.io/nginx:1.25",
      "index.docker.io/library/nginx",
      "registry-1.docker.io/library/nginx",
      "docker.io:443/library/nginx", // containerd asks docker.io itself for it
      "index.docker.io:443/library/nginx",
      "LOCALHOST:5000/app:v1",
      "Atcr.io/alice/app",
      "atcr.io/Alice/app",
      "user@localhost:5000/app:v1",
      "user:pass@localhost:5000/app:v1",
      "atcr.io/user@host/app",
      "localhost:5000/evil/../app:v1",
      "localhost:5000/./app",
      "localhost:5000//app:v1",
      "localhost:5000/app/",
      "/localhost:5000/app",
      "localhost:5000/%61pp:v1",
      "localhost:5000/app:v1?x=y",
      "localhost:5000/app?x=y",
      "localhost:5000/app:v1#frag",
      "localhost:5000/app#frag",
      "localhost:5000/app\\x",
      "localhost:5000/app :v1",
      " localhost:5000/app:v1",
      "localhost:5000/app:v1\n",
      "localhost:5000/app\0",
      "localhost:5000/äpp",
      "bücher.example/app",
      "atcr.io/ａpp",
      "https://atcr.io/alice/app",
      "atcr.io:/app",
      "atcr.io:0/app",
      "atcr.io:05000/app",
      "atcr.io:65536/app",
      "atcr.io:5e3/app",
      "atcr.io:+80/app",
      "atcr.io:5000:5000/app",
      ".example.com/app",
      "example.com./app",
      "example..com/app",
      "-example.com/app",
      "example-.com/app",
      "exa_mple.com/app",
      `${"a".repeat(64)}.com/app`,
      `${"a.".repeat(126)}com/app`,
      "127.1:5000/app",
      "0x7f.1:80/app",
      "1.2.3.04/app",
      "1.2.3.256/app",
      "1.2.3.4.5/app",
      "1.2.3/app",
      "2130706433:5000/app",
      "example.0x1/app",
      "example.1/app",
      "[::1/app",
      "::1/app",
      "[0:0::1]:5000/app",
      "[::FFFF]/app",
      "[::ffff:1.2.3.4]/app",
      "[fe80::1%25eth0]/app",
      "[127.0.0.1]/app",
      "[::1]x/app",
      "[::1]x:5000/app",
      "a.b/-c",
      "a.b/c-",
      "a.b/c..d",
      "a.b/c._d",
      "a.b/c___d",
      "a.b/.c",
      "a.b/_c",
      "a.b/c:",
      "a.b/c:-v",
      "a.b/c:.v",
      "a.b/c:v+1",
      `a.b/c:${"t".repeat(129)}`,
      "a.b/c:v1:v2",
      `a.b/${"c".repeat(256)}`,
      "a.b/c@",
      "a.b/c@latest",
      `a.b/c@${DIGEST}@${DIGEST}`,
      `a.b@${DIGEST}`,
      `a.b/c:@${DIGEST}`,
      "x".repeat(1_000_000),
      `a.b/${"c/".repeat(100_000)}c`,
    ])("%j", (text) => {
      expect(codeOf(() => parseReference(text))).toBe("image.malformed_reference");
    });
  });

  it.each([
    `a.b/c@sha512:${HEX}${HEX}`,
    `a.b/c@sha256:${HEX.toUpperCase()}`,
    `a.b/c@sha256:${HEX.slice(1)}`,
    `a.b/c@sha256:${HEX}0`,
    `a.b/c:v1@blake3:${HEX}`,
  ])("refuses the digest of %s", (text) => {
    expect(codeOf(() => parseReference(text))).toBe("input.unsupported_digest");
  });

  it("does not repeat an endless name", () => {
    try {
      parseReference("x".repeat(1_000_000));
    } catch (error) {
      expect((error as Rejection).message.length).toBeLessThan(300);
    }
    expect.assertions(1);
  });

  it("refuses a hostile component, and takes no exponential time (else this never ends)", () => {
    for (let i = 0; i < 1000; i++) {
      expect(codeOf(() => parseReference(`a.b/${"a-".repeat(120)}!`))).toBe("image.malformed_reference");
    }
  });
});

describe("normaliseReference", () => {
  it.each([
    ["nginx", "docker.io/library/nginx"],
    ["nginx:1.25", "docker.io/library/nginx:1.25"],
    [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    ["alice/app", "docker.io/alice/app"],
    ["alice/team/app:v1", "docker.io/alice/team/app:v1"],
    ["docker.io/nginx", "docker.io/library/nginx"],
    ["docker.io/library/nginx", "docker.io/library/nginx"],
    ["docker.io/alice/app", "docker.io/alice/app"],
    ["index.docker.io/nginx", "docker.io/library/nginx"],
    ["registry-1.docker.io/library/nginx:1", "docker.io/library/nginx:1"],
    ["atcr.io/alice/app:v1", "atcr.io/alice/app:v1"],
    ["atcr.io:443/alice/app", "atcr.io:443/alice/app"],
    ["localhost/app", "localhost/app"],
    ["localhost:5000/app", "localhost:5000/app"],
    ["registry:5000/app", "registry:5000/app"],
    ["[::1]:5000/app", "[::1]:5000/app"],
    // Without a slash there is no host, as Docker has it.
    ["docker.io", "docker.io/library/docker.io"],
    ["sha256sum:1", "docker.io/library/sha256sum:1"],
    ["alice/sha256:0a1b2c", "docker.io/alice/sha256:0a1b2c"],
    ["docker.io/library/sha256:0a1b2c", "docker.io/library/sha256:0a1b2c"],
  ])("reads %s as %s", (text, full) => {
    expect(formatReference(normaliseReference(text))).toBe(full);
  });

  it.each([
    "",
    "/",
    "Nginx",
    "Alice/app",
    "ALICE/app",
    "https://atcr.io/alice/app",
    "atcr.io/",
    "docker.io/",
    "nginx/",
    "/nginx",
    "alice/../app",
    "nginx?x",
    "docker.io:443/nginx",
    "docker://atcr.io/alice/app",
    "oci://atcr.io/alice/app",
    DIGEST,
    "sha256:0a1b2c",
    "sha384:latest",
    "sha512",
    `sha256:0a1b2c@${DIGEST}`,
    `sha256@${DIGEST}`,
  ])("refuses %j", (text) => {
    expect(codeOf(() => normaliseReference(text))).toBe("image.malformed_reference");
  });

  it("says what to leave out, or to add", () => {
    const said = (text: string) => {
      try {
        return formatReference(normaliseReference(text));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said("https://atcr.io/alice/app")).toContain('leave out "https://"');
    expect(said("docker://nginx")).toContain('leave out "docker://"');
    expect(said(DIGEST)).toContain("write NAME@DIGEST");
    expect(said("sha256:0a1b2c")).toContain("it is a digest alone, or part of one; write NAME@DIGEST");
  });

  it.each(["/etc/passwd", "Nginx", "nginx:-", "nginx@alice"])("quotes what was typed: %s", (text) => {
    expect(rejectionOf(() => normaliseReference(text)).message).toContain(`the image name "${text}" cannot`);
  });
});

describe("formatReference", () => {
  it("writes the port that a host without a dot needs", () => {
    const reference = parseReference("registry:443/app:v1");
    expect(formatReference(reference)).toBe("registry:443/app:v1");
    expect(parseReference(formatReference(reference))).toEqual(reference);
  });
});
