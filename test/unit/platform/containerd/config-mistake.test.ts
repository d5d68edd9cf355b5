import { expect, it } from "vitest";
import { mistakeIn } from "../../../../src/platform/containerd/effective-config.ts";

// As containerd 2.1.9 writes them.
const ROW =
  'time="2026-11-30T09:28:28Z" level=error msg="Failure unmarshaling TOML" column=9 error="toml: expected" file=/etc/containerd/conf.d/a.toml row=2\ncontainerd: failed to unmarshal TOML at row 2 column 9: toml: expected \']\' to close table name\n';
const VERSION =
  "containerd: failed to load TOML from /c.toml: expected containerd config version equal to or less than `3`, got `9`\n";
const PLUGIN = "containerd: toml: cannot decode TOML string into struct field config.ImageConfig.X of type bool\n";

it.each([
  [
    "a syntax error, in a file that is imported",
    ROW,
    { file: "/etc/containerd/conf.d/a.toml", line: 2, what: "toml: expected ']' to close table name" },
  ],
  [
    "a version",
    VERSION,
    { file: "/c.toml", what: "expected containerd config version equal to or less than `3`, got `9`" },
  ],
  [
    "a value of a plugin",
    PLUGIN,
    { file: "/main.toml", what: "toml: cannot decode TOML string into struct field config.ImageConfig.X of type bool" },
  ],
  [
    "no mistake, but a permission",
    "containerd: failed to load TOML from /c.toml: open /c.toml: permission denied",
    undefined,
  ],
  ["no mistake, but another program", "unknown command config", undefined],
])("containerd's message tells of %s", (_, stderr, expected) => {
  expect(mistakeIn(stderr, "/main.toml")).toEqual(expected);
});
