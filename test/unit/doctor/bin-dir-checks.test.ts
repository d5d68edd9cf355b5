import { describe, expect, it } from "vitest";
import { checkAdded, checkBinDir } from "../../../src/doctor/bin-dir-checks.ts";
import type { BinDirEntry } from "../../../src/platform/containerd/bin-dir.ts";

const PROGRAM = "/usr/bin/atcr-verify";
const own: BinDirEntry = { name: "atcr-verify", isLink: true, leadsTo: PROGRAM };
const other = (name: string, values: Partial<BinDirEntry> = {}): BinDirEntry => ({
  name,
  isLink: false,
  leadsTo: `/bin/${name}`,
  ...values,
});
const check = (entries: readonly BinDirEntry[] | undefined, maxVerifiers = 10, path = "/opt/bin") =>
  checkBinDir({ path, entries, maxVerifiers }, PROGRAM)
    .filter(({ level, name }) => !(level === "ok" && name === "bin-dir"))
    .map(({ level, name }) => `${level} ${name}`);

describe("bin_dir", () => {
  it.each<[string, readonly BinDirEntry[] | undefined, string[]]>([
    ["the link alone", [own], ["ok link"]],
    ["no folder", undefined, ["problem bin-dir"]],
    ["nothing in it", [], ["problem link"]],
    ["a link to another program", [{ ...own, leadsTo: "/opt/other" }], ["problem link", "warning entries"]],
    [
      "a link that leads nowhere",
      [{ name: "atcr-verify", isLink: true, broken: "x" }],
      ["problem link", "problem entries"],
    ],
    ["the program itself", [{ ...own, isLink: false }], ["warning link"]],
    ["the link under another name", [{ ...own, name: "00-verify" }], ["ok link"]],
    ["a copy of the program alone", [other("zz", { copyOf: PROGRAM })], ["warning link"]],
    ["the link and a copy of the program", [own, other("zz", { copyOf: PROGRAM })], ["ok link", "warning link"]],
    ["a copy of an installed one", [own, other("zz", { copyOf: "/usr/local/bin/x" })], ["ok link", "warning entries"]],
    ["another verifier", [own, other("zz")], ["ok link", "warning entries"]],
    ["one that cannot be executed", [own, other("zz", { broken: "x" })], ["ok link", "problem entries"]],
    ["a README", [other("README.md"), own], ["ok link", "problem entries"]],
    ["what dpkg leaves", [own, other("atcr-verify.dpkg-new")], ["ok link", "problem entries"]],
    ["what rpm leaves", [own, other("atcr-verify.rpmsave")], ["ok link", "problem entries"]],
    ["what an editor leaves", [own, other("atcr-verify~")], ["ok link", "problem entries"]],
    ["a hidden file", [other(".x"), own], ["ok link", "problem entries"]],
  ])("with %s", (_, entries, expected) => {
    expect(check(entries)).toEqual(expected);
  });

  it("with links that this user may not follow is not known", () => {
    const hidden: BinDirEntry = { name: "atcr-verify", isLink: true, isUnseen: true };
    expect(check([hidden])).toEqual(["warning link", "warning entries"]);
    expect(check([own, { ...hidden, name: "zz" }])).toEqual(["ok link", "warning entries"]);
  });

  it("that is only assumed is said to be so, whatever is in it", () => {
    for (const entries of [undefined, [], [own]]) {
      const findings = checkBinDir({ path: "/opt/bin", entries, maxVerifiers: 10, isAssumed: true }, PROGRAM);
      expect(findings[0]).toMatchObject({ level: "warning", name: "bin-dir" });
      for (const { found } of findings.slice(1)) expect(found).toMatch(/^if bin_dir is the default: /);
    }
  });

  it("that is empty in the configuration is none", () => {
    expect(check(undefined, 10, "")).toEqual(["problem bin-dir"]);
  });

  it("that others can change is no place for what root runs", () => {
    const findings = checkBinDir({ path: "/opt/bin", entries: [own], maxVerifiers: 10, distrust: "x" }, PROGRAM);
    expect(findings.map(({ level, name }) => `${level} ${name}`)).toEqual(["problem bin-dir", "ok link"]);
  });

  it("loses a verifier to one entry more, or does not", () => {
    const added = (before: readonly BinDirEntry[], after: readonly BinDirEntry[], maxVerifiers: number) =>
      checkAdded({ path: "/opt/bin", entries: before, maxVerifiers }, after).length;
    const [b, c] = [other("b"), other("c")];
    expect([added([b, c], [own, b, c], 2), added([b, c], [own, b, c], 3), added([b, c], [own, b, c], -1)]).toEqual([
      1, 0, 0,
    ]);
    // One that is skipped already loses nothing.
    expect([added([own, b, c], [own, b, c], 2), added([b, c], [b, c, own], 2)]).toEqual([0, 0]);
  });

  it("has entries that are skipped", () => {
    const two = [other("aa"), other("ab")];
    expect(check([...two, own], 2)).toEqual(["problem link", "warning entries", "warning entries"]);
    expect(check([own, other("zz", { broken: "x" })], 1)).toEqual(["ok link", "warning entries"]);
    expect(check([...two, own], -1)).toEqual(["ok link", "warning entries", "warning entries"]);
  });
});

it("a link to a copy is called what disable calls it", () => {
  const copy = { name: "zz", isLink: true, leadsTo: "/srv/copy", copyOf: PROGRAM };
  const found = checkBinDir({ path: "/opt/bin", entries: [copy], maxVerifiers: 10 }, PROGRAM).map((one) => one.found);
  expect(found).toContainEqual(expect.stringContaining("/opt/bin/zz points to a copy of this program, /srv/copy:"));
});
