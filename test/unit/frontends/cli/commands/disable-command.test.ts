import { expect, it } from "vitest";
import { foldersToSearch } from "../../../../../src/frontends/cli/commands/disable-command.ts";

const USUAL = "/opt/containerd/image-verifier/bin";

it.each([
  ["the configured folder, recorded ones and the usual one", ["/srv/bin"], ["/a"], ["/srv/bin", "/a", USUAL]],
  ["those of other containerds of the node", ["/srv/bin", "/srv/k3s"], [], ["/srv/bin", "/srv/k3s", USUAL]],
  ["each once, however it is written", [`${USUAL}/`, USUAL], [USUAL, "/a", "/a"], [USUAL, "/a"]],
  ["no folder for an empty or relative bin_dir", [""], ["/a"], ["/a", USUAL]],
  ["no folder for an empty or relative bin_dir", ["verifiers"], [], [USUAL]],
])("disable looks into %s", (_, binDirs, recorded, folders) => {
  expect(foldersToSearch(binDirs, recorded)).toEqual(folders);
});
