import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import type * as promises from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { FileCache, UNSEALED } from "../../../../src/io/fs/file-cache.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { ALICE, tidAt } from "../../../support/traces.ts";
import { warned } from "../../../support/warned.ts";

const root = makeTemporaryDirectory("order");
afterAll(() => rmSync(root, { recursive: true, force: true }));
const calls = vi.hoisted(() => [] as string[]);

/** Without what is made up anew each time. */
const plain = (path: string) =>
  basename(path)
    .replace(/^.*\.json/, "piece")
    .replace(/[0-9a-f-]{36}$/, "temporary");

/** What is made, brought to the disk and taken away, in its order. */
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof promises>();
  return {
    ...real,
    open: async (path: string, flags?: string, mode?: number) => {
      const file = await real.open(path, flags, mode);
      if (flags === "wx") calls.push(`make ${plain(path)}`);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        await sync();
        calls.push(`sync ${plain(path)}`);
      };
      return file;
    },
    rename: async (from: string, to: string) => {
      calls.push(`rename ${plain(from)}`);
      if (calls.includes("rename fails")) throw new Error("no space left");
      await real.rename(from, to);
    },
    rm: async (path: string, options: object) => {
      calls.push(`remove ${plain(path)}`);
      await real.rm(path, options);
    },
  };
});

it("a new revision is on the disk before an older one is taken away", async () => {
  const now = Date.now();
  const [oldest, older, newest] = [tidAt(now - 3000), tidAt(now - 2000), tidAt(now - 1000)];
  const folder = join(root, "state", "signers", ALICE);
  mkdirSync(folder, { recursive: true });
  for (const rev of [oldest, older]) {
    writeFileSync(join(folder, `rev-${rev}`), "");
    utimesSync(join(folder, `rev-${rev}`), 0, 0);
  }
  const store = new SignerStore(join(root, "state"), warned(calls));
  await store.recordObservation({ signer: ALICE, revs: [newest] }, now);
  const syncs = [`sync ${ALICE}`, "sync signers", "sync state"];
  expect(calls).toEqual([`make rev-${newest}`, ...syncs, `remove rev-${oldest}`]);
  calls.length = 0;
  await store.recordObservation({ signer: ALICE, revs: [newest] }, now);
  expect(calls).toEqual([]);
});

it("a piece is whole before it has its name, and leaves nothing where that fails", async () => {
  calls.length = 0;
  const warnings: string[] = [];
  const bounds = { bytes: 100, count: 10 };
  const files = new FileCache(join(root, "cache"), "things", bounds, UNSEALED, warned(warnings));
  await files.write("one.json", toUtf8("as it was"));
  const written = ["make piece.temporary", "rename piece.temporary"];
  expect(calls.filter((call) => call.includes("piece"))).toEqual(written);
  calls.splice(0, calls.length, "rename fails");
  await files.write("one.json", toUtf8("as it is"));
  expect(calls.slice(1)).toEqual([...written, "remove piece.temporary"]);
  expect(readdirSync(join(root, "cache", "things"))).toEqual(["one.json"]);
  expect(warnings).toEqual([expect.stringMatching(/^cache\.not_written: .*one\.json .*no space left$/)]);
  expect(files.read("one.json")).toEqual(Buffer.from("as it was"));
});
