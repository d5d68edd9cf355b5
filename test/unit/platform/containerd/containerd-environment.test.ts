import { afterEach, expect, it } from "vitest";
import { seeAsContainerd } from "../../../../src/platform/containerd/containerd-environment.ts";
import type { Daemon } from "../../../../src/platform/containerd/daemon.ts";

const before = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, before);
});
const daemon = (environment: Readonly<Record<string, string>>): Daemon => ({
  pid: 1,
  program: "",
  folder: "/srv",
  isReplaced: false,
  configPath: "",
  startedAt: 0,
  environment: new Map(Object.entries(environment)),
});

it("takes what pulls heed from containerd's environment, and nothing else", () => {
  Object.assign(process.env, { ATCR_VERIFY_CONFIG: "/of/the/shell", https_proxy: "http://shell", ELSE: "shell" });
  const path = process.env["PATH"];
  seeAsContainerd(
    daemon({ ATCR_VERIFY_BREAK_GLASS: "/glass", HTTPS_PROXY: "http://daemon", ELSE: "daemon", PATH: "/x" }),
  );
  const { ATCR_VERIFY_CONFIG, ATCR_VERIFY_BREAK_GLASS, HTTPS_PROXY, https_proxy, ELSE, PATH } = process.env;
  expect([ATCR_VERIFY_CONFIG, https_proxy, process.env["HOME"]]).toEqual([undefined, undefined, undefined]);
  expect([ATCR_VERIFY_BREAK_GLASS, HTTPS_PROXY, ELSE, PATH]).toEqual(["/glass", "http://daemon", "shell", path]);
});

it("takes relative paths for what they are to containerd", () => {
  seeAsContainerd(daemon({ ATCR_VERIFY_BREAK_GLASS: "a/glass", ATCR_VERIFY_CONFIG: "", http_proxy: "proxy:1" }));
  const { ATCR_VERIFY_BREAK_GLASS, ATCR_VERIFY_CONFIG, http_proxy } = process.env;
  expect([ATCR_VERIFY_BREAK_GLASS, ATCR_VERIFY_CONFIG, http_proxy]).toEqual(["/srv/a/glass", "", "proxy:1"]);
});

it("leaves all as it is where no containerd was found", () => {
  process.env["ATCR_VERIFY_CONFIG"] = "/of/the/shell";
  seeAsContainerd(undefined);
  expect(process.env["ATCR_VERIFY_CONFIG"]).toBe("/of/the/shell");
});
