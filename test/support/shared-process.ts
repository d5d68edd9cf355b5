/**
 * Runs before each test file of a suite whose files share processes (packaging/suites.ts). A file that leaves the process
 * changed fails, so that no later file depends on the order.
 */
import { afterAll, expect } from "vitest";

const state = (): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([...Object.entries(process.env), ["umask", process.umask()], ["folder", process.cwd()]]);
const before = state();

// Runs after the file's own hooks, which may restore what they changed.
afterAll(() => {
  const after = state();
  // The names alone: a value may be secret.
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  expect(changed, "this file changed the process that it shares with others").toEqual([]);
});
