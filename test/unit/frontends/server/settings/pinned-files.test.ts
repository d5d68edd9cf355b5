import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../../src/core/config/parse-config.ts";
import type { Warning } from "../../../../../src/core/warning.ts";
import { filesOf, warnOfPinned } from "../../../../../src/frontends/server/settings/pinned-files.ts";
import { serverConfig } from "../../../../../src/frontends/server/settings/running-config.ts";
import { parseMounts } from "../../../../../src/io/fs/mounts.ts";

const text = `
trustPolicyPath: /p
server:
  listeners: [{ listen: "[::1]:1", gates: [admit], tls: { certFile: /c, keyFile: /k, clientCaFile: /a } }]
  tokenFiles: [/t]
  policies: { staging: /s }
  breakGlassFile: /b
`;

describe("filesOf", () => {
  it("has every file that the server reads again", () => {
    const files = filesOf(serverConfig(parseConfig(text, "c.yaml"), "c.yaml"));
    expect(files.toSorted()).toEqual(["/a", "/b", "/c", "/k", "/p", "/s", "/t"]);
  });
});

describe("warnOfPinned", () => {
  it("warns of a file that is mounted by itself, once", () => {
    const own = import.meta.filename;
    const mounts = parseMounts(`1 0 0:1 / / rw - overlay o rw\n2 1 0:2 /x ${own} ro - ext4 /dev/vda rw\n`);
    const warnings: Warning[] = [];
    warnOfPinned([own, import.meta.dirname, "/none", own], (warning) => warnings.push(warning), mounts);
    expect(warnings.map(({ code }) => code)).toEqual(["settings.not_reloaded"]);
    expect(warnings[0]?.message).toContain(`${own} is mounted by itself (subPath)`);
  });
});
