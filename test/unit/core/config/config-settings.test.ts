import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { CONFIG_SHAPE } from "../../../../src/core/config/config-schema.ts";
import { placesIn, settingsOf } from "../../../../src/core/config/config-settings.ts";
import { parseConfig } from "../../../../src/core/config/parse-config.ts";

const GROUPED = new Set(["network", "registryCredentials"]);

describe("settingsOf", () => {
  it("lists every key that the configuration can have", () => {
    const keys = settingsOf(undefined, "c.yaml").map(({ key }) => key);
    const top = new Set(keys.map((key) => key.split(".")[0]));
    expect(top).toEqual(new Set(Object.keys(CONFIG_SHAPE.pipe[1].entries)));
    expect(keys.filter((key) => GROUPED.has(key))).toEqual([]);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("gives defaults that mean what their absence means", () => {
    const file: Record<string, unknown> = {};
    for (const { key, value } of settingsOf(undefined, "c.yaml")) {
      const [group = "", inside] = key.split(".");
      // Without an address there is no server, and so nothing that has defaults.
      if (value === null || group === "server") continue;
      if (inside === undefined) file[group] = value;
      else file[group] = { ...(file[group] as object | undefined), [inside]: value };
    }
    const { decisionLog, ...rest } = parseConfig(JSON.stringify(file), "c.yaml");
    expect({ ...rest, decisionLog: { ...decisionLog, isNeeded: false } }).toEqual(DEFAULT_CONFIG);
  });

  it("gives defaults of the server that mean what their absence means", () => {
    const listen = "127.0.0.1:8443";
    const defaults = settingsOf(undefined, "c.yaml").flatMap(({ key, value }) =>
      key.startsWith("server.") && value !== null ? [[key.slice("server.".length), value]] : [],
    );
    expect(defaults.length).toBeGreaterThan(2);
    const { server } = parseConfig(JSON.stringify({ server: { listen, ...Object.fromEntries(defaults) } }), "c.yaml");
    expect(server).toEqual(parseConfig(JSON.stringify({ server: { listen } }), "c.yaml").server);
  });

  it("says where a key is set, and repeats no password", () => {
    const text = "deadline: 9s\nnetwork:\n  proxy:\n    https: http://user:secret@proxy.example:3128\n";
    const settings = settingsOf(text, "c.yaml");
    expect(settings.filter(({ place }) => place !== undefined)).toMatchObject([
      { key: "deadline", value: "9s", place: { line: 1, column: 11 } },
      { key: "network.proxy", value: { https: "http://...@proxy.example:3128" }, place: { line: 4 } },
    ]);
    expect(JSON.stringify(settings.map(({ value }) => value))).not.toContain("secret");
  });
});

describe("placesIn", () => {
  it("finds values in maps and lists, and nothing that the file does not have", () => {
    const text = "server:\n  policies: { 7: /p }\n  listeners:\n    - tls:\n        certFile: /c\n";
    const placeOf = placesIn(text, "c.yaml");
    const found = (key: string) => [placeOf(key)?.line, placeOf(key)?.column];
    expect(found("server.listeners[0].tls.certFile")).toEqual([5, 19]);
    expect(found("server.policies.7")).toEqual([2, 18]);
    for (const key of ["server.listeners[1]", "server.listeners[0].tls.keyFile", "stateDir"])
      expect(placeOf(key)).toBeUndefined();
    expect(placesIn(undefined, "c.yaml")("server")).toBeUndefined();
  });
});
