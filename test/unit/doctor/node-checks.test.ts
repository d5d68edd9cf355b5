import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkCacheKey } from "../../../src/doctor/node-checks.ts";
import { keyEnvironment, keyIn } from "../../support/cache-key.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const root = makeTemporaryDirectory("doctor-key");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** What is found where the key of a node is as `change` leaves it. */
function found(change: (path: string) => unknown, isMade = true): string {
  const folder = join(root, String(++count));
  mkdirSync(folder);
  const { ATCR_VERIFY_CACHE_KEY: path } = keyEnvironment(folder);
  if (isMade) expect(keyIn(folder).isThere()).toBe(true);
  change(path);
  const { level, name, found: what } = checkCacheKey(keyEnvironment(folder), [join(folder, "state")]);
  expect(name).toBe("cache-key");
  return `${level}: ${what.replaceAll(path, "KEY")}`;
}

describe("checkCacheKey", () => {
  it("finds a key, or that one will be made, and makes none", () => {
    expect(found(() => {})).toBe("ok: KEY can be used");
    expect(found(() => {}, false)).toBe("ok: KEY does not exist yet and will be created when needed");
  });

  it.each<[string, RegExp, (path: string) => unknown]>([
    [
      "others may read",
      /^problem: KEY cannot be used: others may use it \(mode 644\)/,
      (path) => chmodSync(path, 0o644),
    ],
    ["lies where others can write", /^problem: .*can be written by others/, (path) => chmodSync(dirname(path), 0o777)],
    [
      "is a link",
      /^problem: KEY cannot be used: ELOOP/,
      (path) => {
        rmSync(path);
        symlinkSync("/etc/hostname", path);
      },
    ],
  ])("finds one that %s", (_, expected, change) => {
    expect(found(change)).toMatch(expected);
    expect(found(change)).toMatch(/: every pull uses the network$/);
  });

  it("finds one that would be copied along, or has no place", () => {
    const environment = { ATCR_VERIFY_CACHE_KEY: "/srv/state/key" };
    expect(checkCacheKey(environment, ["/srv/other", "/srv/state"])).toMatchObject({
      level: "problem",
      found: expect.stringContaining("is inside /srv/state"),
    });
    expect(checkCacheKey({ ATCR_VERIFY_CACHE_KEY: "key" }, [])).toMatchObject({ level: "problem" });
    const folder = join(root, String(++count));
    mkdirSync(join(folder, "state"), { recursive: true });
    symlinkSync("state", join(folder, "link"));
    const linked = { ATCR_VERIFY_CACHE_KEY: join(folder, "link", "key") };
    expect(checkCacheKey(linked, [join(folder, "state")])).toMatchObject({
      level: "problem",
      found: expect.stringContaining(`is inside ${join(folder, "state")}`),
    });
  });
});
