import { afterEach, describe, expect, it } from "vitest";
import {
  choosesEngine,
  environmentOfRestart,
  readEnvironment,
  type StartedWith,
} from "../../../../src/io/process/environment.ts";

const before = { ...process.env };
afterEach(() => setTo(before));

function setTo(environment: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) process.env[name] = value;
}

/** What a process reads that was started with this, and what is left of it for the runtime. */
function read(environment: Readonly<Record<string, string | undefined>>): StartedWith & { readonly left: object } {
  setTo(environment);
  return { ...readEnvironment(), left: { ...process.env } };
}

const PROXIES = { HTTPS_PROXY: "http://a:1", NO_PROXY: "b", no_proxy: "c" };

describe("the environment", () => {
  it("is handed on as it was, and what would lead the runtime past a proxy is hidden from it", () => {
    const { left, ...started } = read({ ...PROXIES, ELSE: "x" });
    expect(started).toEqual({ environment: { ...PROXIES, ELSE: "x" } });
    expect(left).toEqual({ HTTPS_PROXY: "http://a:1", ELSE: "x" });
  });

  it("does not change any more", () => {
    const { environment } = read(PROXIES);
    process.env["ELSE"] = "later";
    expect([Object.isFrozen(environment), environment["ELSE"]]).toEqual([true, undefined]);
  });

  it.each([
    ["interpreter", undefined],
    ["interpreter", ""],
    ["baseline", "{}"],
    ["server", undefined],
  ] as const)("is what it was before a restart, which hands over what was read: %s, %j", (engine, text) => {
    const stdin = text === undefined ? undefined : Buffer.from(text);
    const { left, ...restarted } = read(environmentOfRestart(PROXIES, engine, { ...(stdin && { stdin }) }));
    expect(restarted).toEqual({ environment: PROXIES, engine, ...(stdin && { stdin }) });
    expect(left).toEqual({ HTTPS_PROXY: "http://a:1" });
  });

  it.each(["1:interpreter", "interpreter", `${process.pid}`, `${process.pid}:toString`, ":", ""])(
    "is not believed about an engine that another process chose, or nobody: %j",
    (value) => {
      const { left, ...started } = read({ ATCR_VERIFY_ENGINE: value, BUN_JSC_useJIT: "0" });
      expect([started, left]).toEqual([{ environment: { BUN_JSC_useJIT: "0" } }, { BUN_JSC_useJIT: "0" }]);
    },
  );

  it.each(["1:e30=", `${process.pid}`, ":", `${process.pid}:e30= `, `${process.pid}::`, ""])(
    "is not believed about an input that another process was given, or nobody: %j",
    (value) => {
      const { left, ...started } = read({ ATCR_VERIFY_HANDED_OVER: value });
      expect([started, left]).toEqual([{ environment: {} }, {}]);
    },
  );

  it("hands over what was warned of, unless that is too long", () => {
    const warned = [{ code: "history.damaged", message: "\u00fc \u{1b}" }] as const;
    expect(read(environmentOfRestart({}, "interpreter", { warned })).warned).toEqual(warned);
    const long = [{ code: "history.damaged", message: "x".repeat(64 * 1024) }] as const;
    expect(read(environmentOfRestart({}, "interpreter", { warned: long })).warned).toBeUndefined();
  });

  it.each([
    ["1", '[{"code": "log.unreadable", "message": ""}]', undefined],
    [`${process.pid}`, "[", []],
    [`${process.pid}`, '{"code": "log.unreadable", "message": ""}', []],
    [`${process.pid}`, '[null, {"code": "toString", "message": ""}, {"code": "log.unreadable", "message": 1}]', []],
  ])("is not believed about warnings of another process, or what is none: %s, %s", (pid, text, warned) => {
    const { environment, ...found } = read({ ATCR_VERIFY_WARNED: `${pid}:${Buffer.from(text).toString("base64")}` });
    expect([environment, found.warned, found.left]).toEqual([{}, warned, {}]);
  });

  it("may choose the engine, and then the program does not", () => {
    expect([{}, { BUN_JSC_useJIT: "" }, { BUN_JSC_useJIT: "1" }].map(choosesEngine)).toEqual([false, true, true]);
  });
});
