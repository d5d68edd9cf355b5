import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { changedSince } from "../../../../src/platform/containerd/daemon-files.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("daemon-files");
afterAll(() => rmSync(root, { recursive: true, force: true }));
const config = join(root, "config.toml");
const folder = join(root, "conf.d");

it("finds what was changed since, also by a copy that keeps the time of the content", () => {
  mkdirSync(folder);
  writeFileSync(config, "");
  writeFileSync(join(folder, "a.toml"), "");
  const imports = ["conf.d/*.toml", join(root, "none.toml"), "/nowhere/*.toml"];
  const started = (after: number) => changedSince({ startedAt: statSync(config).ctimeMs + after }, config, imports);
  expect(started(5000)).toEqual([]);
  expect(started(-5000)).toEqual([config, folder, join(folder, "a.toml")]);

  const copy = join(root, "copy");
  writeFileSync(copy, "");
  utimesSync(copy, 0, 0);
  renameSync(copy, config);
  expect(changedSince({ startedAt: Date.now() - 5000 }, config, [])).toEqual([config]);
});
