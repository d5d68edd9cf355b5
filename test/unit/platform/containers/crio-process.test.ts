import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crioProcesses } from "../../../../src/platform/containers/crio-process.ts";

/** A folder like /proc with one process. */
function procWith(args: readonly string[], environment: readonly string[] = [], name = "crio"): string {
  const proc = mkdtempSync(join(tmpdir(), "proc-"));
  mkdirSync(join(proc, "7"));
  writeFileSync(join(proc, "7/comm"), `${name}\n`);
  writeFileSync(join(proc, "7/cmdline"), args.map((arg) => `${arg}\0`).join(""));
  writeFileSync(join(proc, "7/environ"), environment.map((one) => `${one}\0`).join(""));
  symlinkSync("/srv", join(proc, "7/cwd"));
  return proc;
}

describe("crioProcesses", () => {
  it.each([
    ["no option", [], {}],
    ["a value behind =", ["--signature-policy=/a"], { signaturePolicy: "/a" }],
    ["a value in the next argument, and one dash", ["-signature-policy", "/a"], { signaturePolicy: "/a" }],
    ["the last of several, relative to its folder", ["--config-dir=/a", "--config-dir", "b"], { configDir: "/srv/b" }],
    ["short names", ["-c", "/a", "-d", "/b"], { config: "/a", configDir: "/b" }],
    [
      "options with the same beginning",
      ["--signature-policy-dir=/a", "--config-dir=/b"],
      { signaturePolicyDir: "/a", configDir: "/b" },
    ],
  ])("reads %s", (_, args, options) => {
    expect(crioProcesses(procWith(["/usr/bin/crio", ...args]))).toEqual([{ process: "process 7", ...options }]);
  });

  it("reads the variables where there is no option", () => {
    const environment = ["CONTAINER_SIGNATURE_POLICY=/a", "CONTAINER_CONFIG_DIR=/b"];
    const [found] = crioProcesses(procWith(["crio", "--config-dir", "/c"], environment));
    expect(found).toEqual({ process: "process 7", signaturePolicy: "/a", configDir: "/c" });
  });

  it("knows no other process", () => {
    expect(crioProcesses(procWith(["crio", "--signature-policy=/a"], [], "conmon"))).toEqual([]);
  });
});
