import { readFileSync } from "node:fs";

/**
 * For suites that need something that not every machine has: on a developer's machine such a suite is
 * skipped with a message; with CI=true it fails, so that no pipeline is green because nothing ran.
 *
 *   describe.runIf(requirement("pulls through containerd", missingTool("containerd")))("…", () => {…});
 *
 * @param suite what cannot be tested, for the message
 * @param missing one sentence for each missing thing that says how to get it; undefined if it is there
 * @returns whether to run the suite
 */
export function requirement(suite: string, ...missing: readonly (string | undefined)[]): boolean {
  const reasons = missing.filter((reason) => reason !== undefined);
  if (reasons.length === 0) {
    return true;
  }
  const message = `NOT TESTED: ${suite}\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`;
  if (process.env["CI"] === "true") {
    throw new Error(message);
  }
  const line = "!".repeat(100);
  process.stderr.write(`\n${line}\n${message}\n${line}\n\n`);
  return false;
}

/** Whether this is root and may mount, as root in an unprivileged container may not. */
export function isRoot(): boolean {
  const CAP_SYS_ADMIN = 1n << 21n;
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return process.getuid?.() === 0 && (BigInt(`0x${effective}`) & CAP_SYS_ADMIN) !== 0n;
}

/** What to pass to `requirement` if root is needed. */
export function missingRoot(why: string): string | undefined {
  return isRoot() ? undefined : `run as root, in a container with CAP_SYS_ADMIN: ${why}`;
}
