import { describe, expect, it } from "vitest";
import { hasWildcardHost, matchesScope, parseScope, type Scope } from "../../../../src/core/policy/scope.ts";

function scope(text: string): Scope {
  const parsed = parseScope(text);
  if ("expected" in parsed) throw new Error(`${text}: expected ${parsed.expected}`);
  return parsed;
}

function matches(text: string, name: string): boolean {
  const slash = name.indexOf("/");
  return matchesScope(scope(text), name.slice(0, slash), name.slice(slash + 1));
}

describe("matchesScope", () => {
  it.each([
    ["registry.k8s.io/pause", "registry.k8s.io/pause", true],
    ["registry.k8s.io/pause", "registry.k8s.io/pause2", false],
    ["registry.k8s.io/pause", "registry.k8s.io/pause/x", false],
    ["registry.k8s.io/pause", "registry.k8s.io.evil.example/pause", false],
    ["registry.k8s.io/pause", "evil.example/registry.k8s.io/pause", false],
    ["registry.k8s.io/pause", "registry.k8s.io:5000/pause", false],
    ["registry.k8s.io:5000/pause", "registry.k8s.io:5000/pause", true],
    ["registry.k8s.io:443/pause", "registry.k8s.io/pause", true],
    ["docker.io/library/nginx", "docker.io/library/nginx", true],
    ["docker.io/library/*", "docker.io/library/nginx", true],
    ["docker.io/library/*", "docker.io/alice/nginx", false],
    ["docker.io/**", "docker.io/alice/nginx", true],
    ["atcr.io/*/prod-*", "atcr.io/alice.example.com/prod-web", true],
    ["atcr.io/*/prod-*", "atcr.io/alice.example.com/prod-", true],
    ["atcr.io/*/prod-*", "atcr.io/alice.example.com/prod", false],
    ["atcr.io/*/prod-*", "atcr.io/alice.example.com/x-prod-web", false],
    ["atcr.io/*/prod-*", "atcr.io/alice.example.com/prod-web/x", false],
    ["atcr.io/*/prod-*", "atcr.io/alice/bob/prod-web", false],
    ["atcr.io/*/prod-*", "atcr.io/prod-web", false],
    ["atcr.io/*", "atcr.io/app", true],
    ["atcr.io/*", "atcr.io/alice/app", false],
    ["atcr.io/**", "atcr.io/app", true],
    ["atcr.io/**", "atcr.io/alice/team/app", true],
    ["atcr.io/**", "atcr.io:5000/alice/app", false],
    ["atcr.io/**/app", "atcr.io/app", false], // ** is one segment or more
    ["atcr.io/**/app", "atcr.io/a/app", true],
    ["atcr.io/**/app", "atcr.io/a/b/app", true],
    ["atcr.io/**/app", "atcr.io/a/app/b/app", true],
    ["atcr.io/**/app", "atcr.io/a/app/b", false],
    ["atcr.io/a/**", "atcr.io/a", false],
    ["atcr.io/**/**", "atcr.io/a", false],
    ["atcr.io/**/**", "atcr.io/a/b", true],
    ["atcr.io/**/b/**/d", "atcr.io/a/b/b/c/d", true],
    ["atcr.io/**/b/**/d", "atcr.io/b/b/d", false],
    ["atcr.io/a*b*c", "atcr.io/a1b2c", true],
    ["atcr.io/a*b*c", "atcr.io/abc", true],
    ["atcr.io/a*b*c", "atcr.io/abcb", false],
    ["atcr.io/*-*-*", "atcr.io/a-b", false],
    ["atcr.io/*-*-*", "atcr.io/a-b-c-d", true],
    ["**", "atcr.io/app", true],
    ["**", "localhost:5000/a/b/c", true],
    ["**/nginx", "docker.io/library/nginx", true],
    ["**/nginx", "docker.io/library/nginx2", false],
    ["*/**", "localhost:5000/a/b", true],
    ["*/app", "localhost:5000/app", true],
    ["*/app", "localhost:5000/a/app", false],
    ["*.example.com/**", "a.b.example.com/app", true],
    ["*.example.com/**", "example.com/app", false],
    ["*.example.com/**", "a.example.com:5000/app", false],
    ["*.example.com/**", "evil.example/a.example.com/app", false],
    ["*.example.com:443/**", "a.example.com/app", true],
    ["localhost:*/**", "localhost:5000/app", true],
    ["localhost:*/**", "localhost/app", false],
    ["registry:50*/app", "registry:5000/app", true],
    ["[::1]:5000/app", "[::1]:5000/app", true],
    ["[::1]/**", "[::1]:5000/app", false],
    ["127.0.0.1:5000/*", "127.0.0.1:5000/app", true],
    ["registry:443/app", "registry/app", true],
    ["atcr.io/a.b*", "atcr.io/a.bc", true],
    ["atcr.io/a_b*", "atcr.io/a_bc", true],
    ["atcr.io/a__b*", "atcr.io/a__bc", true],
    ["atcr.io/a---b*", "atcr.io/a---bc", true],
  ])("%s covers %s: %s", (text, name, expected) => {
    expect(matches(text, name)).toBe(expected);
  });

  it("takes no exponential time where every wildcard could take everything", () => {
    const manySegments = `a.b/${Array.from({ length: 60 }, () => "**/a").join("/")}/b`;
    expect(matches(manySegments, `a.b/${Array.from({ length: 127 }, () => "a").join("/")}`)).toBe(false);
    const manyStars = `a.b/${"*a".repeat(120)}*b`;
    expect(matches(manyStars, `a.b/${"a".repeat(255)}`)).toBe(false);
    expect(matches(`a.b/${"**/".repeat(100)}*a*a*a*b`, `a.b/${"aa/".repeat(84)}aa`)).toBe(false);
  });
});

describe("parseScope", () => {
  it.each([
    "",
    "*",
    "***",
    "/",
    "nginx",
    "nginx:1.25",
    "atcr.io", // no name is a host alone
    "atcr.io/",
    "atcr.io:5000",
    "/app",
    "atcr.io//app",
    "atcr.io/app/",
    "atcr.io/app:v1",
    "atcr.io/app:*",
    `atcr.io/app@sha256:${"0".repeat(64)}`,
    "atcr.io/app?",
    "atcr.io/[a-z]*",
    "[a-z].example.com/app",
    "atcr.io/{a,b}",
    "atcr.io/!a",
    "atcr.io/a b",
    " atcr.io/a",
    "atcr.io/a\n",
    "ATCR.io/app",
    "atcr.io/App",
    "*.Example.com/app",
    "atcr.io/../app",
    "atcr.io/./app",
    "atcr.io/a..*",
    "atcr.io/a___*",
    "atcr.io/-*",
    "atcr.io/*-",
    "atcr.io/ä*",
    "atcr.io/a+*",
    "atcr.io/**a",
    "atcr.io/a**",
    "atcr.io/***",
    "a**.example.com/app",
    "https://atcr.io/app",
    "docker.io/nginx",
    "docker.io/*",
    "docker.io:443/nginx",
    "index.docker.io/library/nginx",
    "index.docker.io/**",
    "registry-1.docker.io/library/*",
    "alice/app",
    "127.1:5000/app",
    "atcr.io:0/app",
    "atcr.io:0443/app",
    "reg*:443/app", // would also cover other ports, once :443 is gone
    "*:443/app",
    "*..example.com/app",
    ".*/app",
    "*./app",
    "-*/app",
    "*-/app",
    "*.a_b/app",
    "*.example.com:/app",
    "*.example.com:a/app",
    "*.example.com:a5/app",
    "*.example.com:5a/app",
    "*.example.com:123456/app",
    "*.example.com:5000:1/app",
    `atcr.io/${"a".repeat(593)}`, // 601 characters
  ])("refuses %j, which could match nothing or something else than it says", (text) => {
    expect(parseScope(text)).toEqual({ expected: expect.any(String) });
  });

  it.each([
    ["atcr.io", "atcr.io/**"],
    ["atcr.io/", "atcr.io/**"],
    ["docker.io/nginx", "docker.io/library/nginx"],
    ["index.docker.io/**", "docker.io"],
    ["nginx", "docker.io/library/nginx"],
    ["*", '"**"'],
    ["https://atcr.io/app", "without a scheme"],
    [`atcr.io/app@sha256:${"0".repeat(64)}`, "no digest"],
    ["atcr.io/app:v1", "no tag"],
    ["atcr.io/app?", "no wildcards but"],
    ["atcr.io/[a-z]", "no wildcards but"],
    ["atcr.io/App", "lower case"],
    ["atcr.io/app/", "below atcr.io/app/ write atcr.io/app/**"],
    ["index.docker.io/", "docker.io as the host"],
    ["alice/", "a host with a dot"],
    ["atcr.io/\u00e4*", "U+00E4"],
    ["atcr.io/app\n", "U+000A"],
    ["atcr.io/\u{1f600}", "U+1F600"],
  ])("says for %s to write %s", (text, suggestion) => {
    expect(parseScope(text)).toEqual({ expected: expect.stringContaining(suggestion) });
  });

  it.each(["atcr.io/a//b", "atcr.io//", "/app", "/", "//", "**//a"])("gives no advice that is none: %s", (text) => {
    expect(parseScope(text)).toEqual({ expected: "no empty segment" });
  });

  it("takes 600 characters", () => {
    const longest = `atcr.io/${"a".repeat(592)}`;
    expect(scope(longest).text).toBe(longest);
  });

  it("removes :443", () => {
    expect(scope("atcr.io:443/app").text).toBe("atcr.io/app");
    expect(scope("docker.io:443/library/nginx").text).toBe("docker.io/library/nginx");
  });
});

describe("hasWildcardHost", () => {
  it.each([
    ["**", true],
    ["**/app", true],
    ["*/app", true],
    ["*.example.com/app", true],
    ["localhost:*/app", true],
    ["example.com/**", false],
    ["example.com/*", false],
  ])("of %s: %s", (text, expected) => {
    expect(hasWildcardHost(scope(text))).toBe(expected);
  });
});
