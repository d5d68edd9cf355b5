import { expect, it } from "vitest";
import { foldersToSearch } from "../../../../../src/frontends/cli/commands/disable-command.ts";

const USUAL = "/opt/containerd/image-verifier/bin";

it.each([
  ["the configured folder, recorded ones and the usual one", "/srv/bin", ["/a"], ["/srv/bin", "/a", USUAL]],
  ["each once, however it is written", `${USUAL}/`, [USUAL, "/a", "/a"], [USUAL, "/a"]],
  ["no folder for an empty or relative bin_dir", "", ["/a"], ["/a", USUAL]],
  ["no folder for an empty or relative bin_dir", "verifiers", [], [USUAL]],
])("disable looks into %s", (_, binDir, recorded, folders) => {
  expect(foldersToSearch(binDir, recorded)).toEqual(folders);
});
