import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fromUtf8, toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { CACHE_FOLDERS, type CacheFolder, cacheFolder } from "../../../../src/io/store/cache-folders.ts";
import { CacheKey, cacheKeyPath } from "../../../../src/io/store/cache-key.ts";
import { makeTemporaryDirectory, run } from "../../../support/process.ts";
import { requirement } from "../../../support/requirement.ts";
import { warned } from "../../../support/warned.ts";

const FOREIGN = /^cache\.unusable: .*not written there with this node's key/;
const ANSWER = '{"url":"https://plc.example/did:plc:a","fetchedAt":1000,"bytes":"AAAA"}';
const FOLDERS = Object.keys(CACHE_FOLDERS) as CacheFolder[];
const canChown = requirement(
  "the key of a cache, owned by others",
  process.geteuid?.() === 0 ? undefined : "run as root: a file is given to another user",
);

const root = makeTemporaryDirectory("cache-key");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** A node with a key, a cache and a state of its own. */
class Node {
  readonly folder = join(root, String(++count));
  readonly warnings: string[] = [];
  readonly warn = warned(this.warnings);
  readonly path = join(this.folder, "own", "cache-key");

  constructor() {
    mkdirSync(this.folder);
  }

  static async withPieces(): Promise<Node> {
    const node = new Node();
    for (const folder of FOLDERS) expect(await node.write(folder)).toBe(true);
    expect([node.warnings, FOLDERS.map((folder) => node.read(folder))]).toEqual([[], FOLDERS.map(() => ANSWER)]);
    return node;
  }

  /** Another process's. */
  get key(): CacheKey {
    return new CacheKey({ ATCR_VERIFY_CACHE_KEY: this.path }, this.warn);
  }

  files(folder: CacheFolder, key = this.key) {
    return cacheFolder(join(this.folder, "cache"), folder, key, this.warn);
  }

  read(folder: CacheFolder, name = "one", key = this.key): string | undefined {
    const entry = this.files(folder, key).read(name);
    return entry && fromUtf8(entry);
  }

  write(folder: CacheFolder, key = this.key): Promise<boolean> {
    return this.files(folder, key).write("one", toUtf8(ANSWER));
  }

  file(folder: CacheFolder, name = "one"): string {
    return join(this.folder, "cache", folder, name);
  }

  get isCached(): boolean {
    return existsSync(join(this.folder, "cache"));
  }
}

describe("a file of the cache", () => {
  it.each(FOLDERS)("is nothing where a byte of it is another, or is missing, or more: %s", async (folder) => {
    const node = await Node.withPieces();
    const file = readFileSync(node.file(folder));
    for (let at = 0; at < file.length; at++) {
      writeFileSync(node.file(folder), new Uint8Array(file).fill((file[at] ?? 0) ^ 1, at, at + 1));
      expect(node.read(folder)).toBeUndefined();
      writeFileSync(node.file(folder), file.subarray(0, at));
      expect(node.read(folder)).toBeUndefined();
    }
    writeFileSync(node.file(folder), Buffer.concat([file, toUtf8(" ")]));
    expect(node.read(folder)).toBeUndefined();
    for (const warning of node.warnings) expect(warning).toMatch(FOREIGN);
    writeFileSync(node.file(folder), file);
    expect(node.read(folder)).toBe(ANSWER);
  });

  it.each(FOLDERS)("says when it was fetched, and from where, as it was written: %s", async (folder) => {
    for (const [was, is] of [
      ['"fetchedAt":1000', '"fetchedAt":2000'],
      ["https://plc.example", "https://ply.example"],
    ] as const) {
      const node = await Node.withPieces();
      const file = readFileSync(node.file(folder), "latin1");
      expect(file).toContain(was);
      writeFileSync(node.file(folder), file.replace(was, is), "latin1");
      expect(node.read(folder)).toBeUndefined();
      expect(node.warnings).toEqual([expect.stringMatching(FOREIGN)]);
    }
  });

  it("is nothing under another name", async () => {
    const node = await Node.withPieces();
    for (const folder of FOLDERS) {
      renameSync(node.file(folder), node.file(folder, "two"));
      expect(node.read(folder, "two")).toBeUndefined();
    }
    expect(node.warnings).toEqual([expect.stringMatching(FOREIGN)]);
  });

  it("is nothing in another folder", async () => {
    for (const from of FOLDERS) {
      const node = await Node.withPieces();
      for (const to of FOLDERS.filter((folder) => folder !== from)) {
        cpSync(node.file(from), node.file(to));
        expect(node.read(to)).toBeUndefined();
      }
    }
  });

  it("is nothing on another node, whose key is another", async () => {
    const [node, other] = [await Node.withPieces(), new Node()];
    other.key.isThere();
    cpSync(join(node.folder, "cache"), join(other.folder, "cache"), { recursive: true });
    for (const folder of FOLDERS) expect(other.read(folder)).toBeUndefined();
    expect(other.warnings).toEqual([expect.stringMatching(FOREIGN)]);
  });

  it("is nothing where the key is gone: another is made for what is written next", async () => {
    const node = await Node.withPieces();
    rmSync(node.path);
    const { key } = node;
    expect([node.read("evidence", "one", key), existsSync(node.path)]).toEqual([undefined, false]);
    expect(node.warnings).toEqual([expect.stringMatching(FOREIGN)]);
    await node.write("tags", key);
    expect([node.read("tags"), node.read("evidence", "one", key)]).toEqual([ANSWER, undefined]);
    expect(node.warnings).toHaveLength(1);
  });

  it("is reported once by a process, and replaced", async () => {
    const node = await Node.withPieces();
    for (const folder of FOLDERS) writeFileSync(node.file(folder), "as it was before there were tags");
    const { key } = node;
    for (const folder of FOLDERS) expect(node.read(folder, "one", key)).toBeUndefined();
    expect(node.warnings).toEqual([expect.stringMatching(FOREIGN)]);
    for (const folder of FOLDERS) {
      expect(await node.write(folder, key)).toBe(true);
      expect(node.read(folder, "one", key)).toBe(ANSWER);
    }
    expect(node.warnings).toHaveLength(1);
  });
});

describe("a key", () => {
  it("is made when something is written, for its owner alone, and not by looking", async () => {
    const node = new Node();
    const umask = process.umask(0);
    try {
      expect([node.read("evidence"), node.files("evidence").list(), existsSync(node.path)]).toEqual([
        undefined,
        [],
        false,
      ]);
      await node.write("evidence");
    } finally {
      process.umask(umask);
    }
    expect(lstatSync(node.path)).toMatchObject({ size: 32, nlink: 1 });
    expect([lstatSync(node.path).mode & 0o777, lstatSync(dirname(node.path)).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(readdirSync(dirname(node.path))).toEqual(["cache-key"]);
    expect(node.warnings).toEqual([]);
  });

  it("is made once: whoever comes later uses what is there", async () => {
    const node = new Node();
    const keys = [node.key, node.key];
    // Both have seen that there is none.
    for (const key of keys) expect(node.read("evidence", "one", key)).toBeUndefined();
    for (const key of keys) expect(key.isThere()).toBe(true);
    const [first, second] = keys.map((key) => key.seal("evidence/one", toUtf8(ANSWER)));
    expect(first).toEqual(second);
    expect(readdirSync(dirname(node.path))).toEqual(["cache-key"]);
  });

  const instead = (make: (path: string) => unknown) => async (path: string) => {
    renameSync(path, `${path}.moved`);
    await make(path);
  };
  const NOT_USED: Readonly<Record<string, [RegExp, (path: string) => unknown]>> = {
    "others may read": [/others may use it \(mode 644\)/, (path) => chmodSync(path, 0o644)],
    "a group may read": [/others may use it \(mode 640\)/, (path) => chmodSync(path, 0o640)],
    "is a link": [/ELOOP/, instead((path) => symlinkSync(`${path}.moved`, path))],
    "is a link to nowhere": [/ELOOP/, instead((path) => symlinkSync("/nowhere", path))],
    "is a named pipe": [/is not a regular file/, instead((path) => run("mkfifo", [path]))],
    "is a folder": [/is not a regular file/, instead((path) => mkdirSync(path))],
    "is empty": [/has 0 bytes/, (path) => writeFileSync(path, "")],
    "is too long": [/has 33 bytes/, (path) => writeFileSync(path, "x".repeat(33))],
    "lies where others can write": [/can be written by others/, (path) => chmodSync(dirname(path), 0o777)],
  };

  it.each(Object.keys(NOT_USED))(
    "is not used that %s: nothing is read or written, and it is said once",
    async (how) => {
      const [because = /./, spoil] = NOT_USED[how] ?? [];
      const node = await Node.withPieces();
      await spoil?.(node.path);
      const before = readFileSync(node.file("evidence"));
      const { key } = node;
      for (const folder of FOLDERS) {
        expect(node.read(folder, "one", key)).toBeUndefined();
        expect(await node.write(folder, key)).toBe(false);
      }
      expect(key.isThere()).toBe(false);
      expect(node.warnings).toEqual([expect.stringMatching(because)]);
      expect(node.warnings[0]).toContain(node.path);
      expect(node.warnings[0]).toMatch(/; fix that, or remove the file/);
      expect(readFileSync(node.file("evidence"))).toEqual(before);
      // What is over is taken away all the same.
      expect(await node.files("evidence", key).remove(() => true)).toBe(1);
    },
  );

  it.runIf(canChown)("is not used that belongs to somebody else", async () => {
    const node = await Node.withPieces();
    chownSync(node.path, 65_534, 65_534);
    expect([node.read("evidence"), node.warnings]).toEqual([
      undefined,
      [expect.stringMatching(/belongs to user 65534, expected the running user/)],
    ]);
  });

  it.each(["cache", "state"])("is not used that lies in the %s folder, and none is made there", async (folder) => {
    const node = new Node();
    mkdirSync(join(node.folder, folder));
    const path = join(node.folder, folder, "deep", "cache-key");
    const key = new CacheKey({ ATCR_VERIFY_CACHE_KEY: path }, node.warn);
    key.keepOutOf(join(node.folder, "state"), join(node.folder, "cache/"));
    expect([key.isThere(), existsSync(dirname(path))]).toEqual([false, false]);
    expect(node.warnings).toEqual([expect.stringMatching(/it is inside \S+ and would be copied together with it/)]);
    node.key.keepOutOf(join(node.folder, "ow"));
    expect(node.key.isThere()).toBe(true);
  });

  const linked: Readonly<Record<string, (node: Node) => { path: string; folder: string }>> = {
    "whose path goes through a link into": ({ folder }) => {
      mkdirSync(join(folder, "state"));
      symlinkSync("state", join(folder, "link"));
      return { path: join(folder, "link", "cache-key"), folder: join(folder, "state") };
    },
    "in a missing folder, behind a link into": ({ folder }) => {
      mkdirSync(join(folder, "state"));
      symlinkSync("state", join(folder, "link"));
      return { path: join(folder, "link", "a", "b", "cache-key"), folder: join(folder, "state") };
    },
    "behind a link and back, into": ({ folder }) => {
      mkdirSync(join(folder, "state", "deep"), { recursive: true });
      symlinkSync("state/deep", join(folder, "link"));
      return { path: `${folder}/link/../cache-key`, folder: join(folder, "state") };
    },
    "into what is a link to": ({ folder }) => {
      mkdirSync(join(folder, "elsewhere"));
      symlinkSync("elsewhere", join(folder, "state"));
      return { path: join(folder, "elsewhere", "cache-key"), folder: join(folder, "state") };
    },
    "below a link to the folder that is missing in": ({ folder }) => {
      mkdirSync(join(folder, "elsewhere"));
      symlinkSync("elsewhere", join(folder, "link"));
      return { path: join(folder, "elsewhere", "state", "cache-key"), folder: join(folder, "link", "state") };
    },
  };

  it.each(Object.keys(linked))("is not used %s a folder that is copied", (how) => {
    const node = new Node();
    const { path, folder } = linked[how]?.(node) ?? { path: "", folder: "" };
    const key = new CacheKey({ ATCR_VERIFY_CACHE_KEY: path }, node.warn);
    key.keepOutOf(folder);
    expect([key.isThere(), existsSync(path)]).toEqual([false, false]);
    expect(node.warnings).toEqual([expect.stringContaining(`it is inside ${folder} and would be copied`)]);
  });

  it("is used where links lead elsewhere, nowhere or in a circle", () => {
    const node = new Node();
    for (const [to, name] of [
      ["circle", "circle"],
      ["/nowhere", "dangling"],
      [".", "here"],
    ] as const)
      symlinkSync(to, join(node.folder, name));
    const { key } = node;
    key.keepOutOf(...["circle", "dangling", "circle/state", "here/state"].map((name) => join(node.folder, name)));
    expect([key.isThere(), node.warnings]).toEqual([true, []]);
  });

  it("is not made where others can write, nor where nothing can be made", async () => {
    const node = new Node();
    chmodSync(node.folder, 0o777);
    expect([node.key.isThere(), readdirSync(node.folder)]).toEqual([false, []]);
    expect(node.warnings).toEqual([expect.stringMatching(/can be written by others/)]);
    chmodSync(node.folder, 0o755);
    const key = new CacheKey({ ATCR_VERIFY_CACHE_KEY: "/proc/nowhere/cache-key" }, node.warn);
    expect([await node.files("evidence", key).write("one", toUtf8("")), node.warnings[1]]).toEqual([
      false,
      expect.stringMatching(/^cache\.no_key: the cache is not used without its key \/proc\/nowhere\/cache-key: ENOENT/),
    ]);
  });

  it("that cannot be made is said once, however often it is tried, and by whomever", async () => {
    const node = new Node();
    const make = () => new CacheKey({ ATCR_VERIFY_CACHE_KEY: "/proc/cache-key" }, node.warn);
    const [one, other] = [make(), make()];
    expect([one.isThere(), one.isThere(), other.isThere()]).toEqual([false, false, false]);
    expect(node.warnings).toEqual([expect.stringMatching(/^cache\.no_key: [^;]*, open '\/proc\/cache-key'; /)]);
  });
});

describe("cacheKeyPath", () => {
  it.each<[Record<string, string>, number, string | undefined]>([
    [{}, 0, "/var/lib/atcr-verify-node/cache-key"],
    [{ HOME: "/srv/users/a", XDG_STATE_HOME: "/srv/users/a/state" }, 0, "/var/lib/atcr-verify-node/cache-key"],
    [{ HOME: "/srv/users/a" }, 1000, "/srv/users/a/.local/state/atcr-verify-node/cache-key"],
    [{ HOME: "/srv/users/a", XDG_STATE_HOME: "/srv/a" }, 1000, "/srv/a/atcr-verify-node/cache-key"],
    [{ HOME: "/srv/users/a", XDG_STATE_HOME: "a" }, 1000, "/srv/users/a/.local/state/atcr-verify-node/cache-key"],
    [{}, 1000, undefined],
    [{ HOME: "" }, 1000, undefined],
    [{ ATCR_VERIFY_CACHE_KEY: "/etc/key", HOME: "/srv/users/a" }, 1000, "/etc/key"],
    [{ ATCR_VERIFY_CACHE_KEY: "key" }, 0, undefined],
    [{ ATCR_VERIFY_CACHE_KEY: "" }, 0, undefined],
  ])("of %j, user %i: %s", (environment, uid, path) => {
    expect(cacheKeyPath(environment, uid)).toBe(path);
  });

  it("that is none makes no key, and no cache", async () => {
    const node = new Node();
    const key = new CacheKey({ ATCR_VERIFY_CACHE_KEY: "key" }, node.warn);
    expect([key.isThere(), node.isCached, node.warnings]).toEqual([
      false,
      false,
      [expect.stringMatching(/set ATCR_VERIFY_CACHE_KEY to an absolute path$/)],
    ]);
  });
});
