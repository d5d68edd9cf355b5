import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { missingTool } from "../support/debian-tools.ts";
import { run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";

const ROOT = join(import.meta.dirname, "../..");
const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const testable = requirement("the demo", ...tools, missingBinary());

function demo(...args: readonly string[]) {
  return run(join(ROOT, "node_modules/.bin/node"), [join(ROOT, "demo/demo.ts"), ...args], { cwd: "/" });
}

describe.runIf(testable)("the demo", () => {
  it("shows a pull that is allowed, two that are refused and why", async () => {
    const { code, stdout, stderr } = await demo();
    expect(stderr).toBe("");
    const told = stdout.split("\n").filter((line) => /^(\d\.|\s+(\$ ctr|\||=>)|\w.* as described)/.test(line));
    const rows = told.filter((line) => line.startsWith("   |   "));
    // What a person is shown of the signature; the test of that report has the rest.
    expect(rows.join("\n")).toMatch(/signer +.*did:plc:/);
    const steps = told.slice(told.findIndex((line) => line.startsWith("1. "))).filter((line) => !rows.includes(line));
    expect(steps).toEqual([
      expect.stringMatching(/^1\. /),
      expect.stringMatching(/ctr images pull .*:signed$/),
      expect.stringMatching(/Completed pull/),
      expect.stringMatching(/=> ALLOWED/),
      expect.stringMatching(/allow signed: /),
      expect.stringMatching(/=> the exit code is 0/),
      expect.stringMatching(/^2\. /),
      expect.stringMatching(/ctr images pull .*:unsigned$/),
      expect.stringMatching(/deny signature\.none: /),
      expect.stringMatching(/=> REFUSED/),
      expect.stringMatching(/^3\. /),
      expect.stringMatching(/ctr images pull .*:signed$/),
      expect.stringMatching(/deny record\.absent: /),
      expect.stringMatching(/=> REFUSED/),
      "Everything happened as described.",
    ]);
    expect(code).toBe(0);
  });

  it("fails when something turns out differently, as with a verifier that allows everything", async () => {
    const { code, stdout } = await demo("/bin/true");
    expect(stdout).toContain("UNEXPECTED: expected 1 deny signature.none, found pulled");
    expect(code).toBe(1);
  });
});
