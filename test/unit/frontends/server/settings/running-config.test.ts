import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../../src/core/config/parse-config.ts";
import {
  type ServerConfig,
  serverConfig,
  whileRunning,
} from "../../../../../src/frontends/server/settings/running-config.ts";
import { codeOf } from "../../../../support/rejection.ts";

const read = (server: object, more: object = {}): ServerConfig =>
  serverConfig(
    parseConfig(JSON.stringify({ server: { listen: "127.0.0.1:1", ...server }, ...more }), "c.yaml"),
    "c.yaml",
  );
const RUNNING = read({ tokenFiles: ["/t"] });

describe("serverConfig", () => {
  it("needs the key server", () => {
    expect(codeOf(() => serverConfig(parseConfig("", "c.yaml"), "c.yaml"))).toBe("config.invalid");
  });
});

describe("whileRunning", () => {
  it("takes what decides about images and callers", () => {
    const server = { tokenFiles: ["/u"], policies: { a: "/p" }, tags: "resolve-unpinned", breakGlassFile: "/b" };
    const more = { deadline: "2s", trustPolicyPath: "/q", network: { allow: ["10.0.0.0/8"] }, cacheTTL: "1m" };
    const next = read(server, more);
    expect(whileRunning(RUNNING, next)).toEqual({ config: next, later: [] });
  });

  it.each([
    ["listen", { listen: "127.0.0.1:2" }, {}, "server.listeners"],
    ["gates", { gates: ["admit"] }, {}, "server.listeners"],
    ["stateDir", {}, { stateDir: "/s" }, "stateDir"],
    ["cacheDir", {}, { cacheDir: "/s" }, "cacheDir"],
    ["decisionLog", {}, { decisionLog: "/s" }, "decisionLog"],
  ])("leaves %s as it is until the next start", (_, server, more, key) => {
    const { config, later } = whileRunning(RUNNING, read({ tokenFiles: ["/t"], ...server }, more));
    expect(later).toEqual([key]);
    expect(config).toEqual(RUNNING);
  });

  it("keeps demanding tokens where the listeners that are open may need them", () => {
    const { config, later } = whileRunning(RUNNING, read({ tokenFiles: [], tags: "resolve-unpinned" }));
    expect(later).toEqual(["server.tokenFiles"]);
    expect(config.server).toMatchObject({ tokenFiles: ["/t"], tags: "resolve-unpinned" });
    expect(whileRunning(read({}), RUNNING).config.server.tokenFiles).toEqual(["/t"]);
  });
});
