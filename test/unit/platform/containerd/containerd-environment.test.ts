import { expect, it } from "vitest";
import { asContainerdSees } from "../../../../src/platform/containerd/containerd-environment.ts";
import type { Daemon } from "../../../../src/platform/containerd/daemon.ts";

const daemon = (environment: Readonly<Record<string, string>>): Daemon => ({
  pid: 1,
  program: "",
  argv0: "containerd",
  folder: "/srv",
  isReplaced: false,
  configPath: "",
  startedAt: 0,
  environment: new Map(Object.entries(environment)),
});
const SHELL = {
  ATCR_VERIFY_CONFIG: "/of/the/shell",
  https_proxy: "http://shell",
  ELSE: "shell",
  HOME: "/",
  PATH: "/bin",
};

it("takes what pulls heed from containerd's environment, and nothing else", () => {
  const before = { ...process.env };
  const given = { ATCR_VERIFY_BREAK_GLASS: "/glass", HTTPS_PROXY: "http://daemon", ELSE: "daemon", PATH: "/x" };
  expect(asContainerdSees(SHELL, daemon(given))).toEqual({
    ATCR_VERIFY_BREAK_GLASS: "/glass",
    HTTPS_PROXY: "http://daemon",
    ELSE: "shell",
    PATH: "/bin",
  });
  expect(process.env).toEqual(before);
});

it("takes relative paths for what they are to containerd", () => {
  const given = { ATCR_VERIFY_BREAK_GLASS: "a/glass", ATCR_VERIFY_CONFIG: "", http_proxy: "proxy:1" };
  const expected = { ...given, ATCR_VERIFY_BREAK_GLASS: "/srv/a/glass" };
  expect(asContainerdSees({}, daemon(given))).toEqual(expected);
});

it("leaves a relative path of the cache's key, which no pull uses, as it is", () => {
  const given = { ATCR_VERIFY_CACHE_KEY: "a/key" };
  expect(asContainerdSees({}, daemon(given))).toEqual(given);
});

it("leaves all as it is where no containerd was found", () => {
  expect(asContainerdSees(SHELL, undefined)).toEqual(SHELL);
});
