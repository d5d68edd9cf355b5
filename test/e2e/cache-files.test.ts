import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CacheKey } from "../../src/io/store/cache-key.ts";
import { type Ask, ask, BINARY, headline, type TestNode } from "../support/binary.ts";
import { changePiece } from "../support/cache-key.ts";
import {
  cacheOf,
  demand,
  filesIn,
  keyOf,
  NO_REQUEST,
  requestsOf,
  stopAll,
  withCache,
} from "../support/caching-world.ts";
import { run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { Signer } from "../support/signer.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const SIGNED = "0 allow signed";
const RECORD = "/xrpc/com.atproto.sync.getRecord";
const NONE = "1 deny signature.none";
const isRoot = requirement(
  "files in the cache of another user, and disks that are full or read-only",
  missingRoot("files are given away, and disks mounted"),
);

/** What a file in the cache may be in place of what was written. */
const DAMAGE: Readonly<Record<string, (path: string) => unknown>> = {
  empty: (path) => truncateSync(path),
  "cut off": (path) => truncateSync(path, 100),
  huge: (path) => truncateSync(path, 2 ** 32),
  "of random bytes": (path) => writeFileSync(path, crypto.getRandomValues(new Uint8Array(3000))),
  "of deep JSON": (path) => writeFileSync(path, "[".repeat(100_000)),
  "the group's to write": (path) => chmodSync(path, 0o620),
  "everybody's to write": (path) => chmodSync(path, 0o666),
  "a link": (path) => {
    renameSync(path, `${path}.moved`);
    symlinkSync(`${path}.moved`, path);
  },
  "a folder": (path) => {
    rmSync(path);
    mkdirSync(join(path, "deep"), { recursive: true });
  },
  "a named pipe": (path) => {
    rmSync(path);
    return run("mkfifo", [path]);
  },
  ...(isRoot && { "another user's": (path: string) => chownSync(path, 65_534, 65_534) }),
};

/** Path of the lock that a pull of the image takes, as one that was killed left it. */
async function lockOf(world: TestNode, image: Descriptor): Promise<string> {
  const killed = await new Promise<ChildProcess>((started) => {
    world.pds.delay(60_000);
    void world.pull(world.name, image, { started });
  });
  const locks = () => filesIn(world, "locks").filter((path) => /\/image-[0-9a-f]{64}$/.test(path));
  await expect.poll(locks, { timeout: 10_000 }).toHaveLength(1);
  await expect.poll(() => world.pds.count(), { timeout: 10_000 }).toBe(1);
  killed.kill("SIGKILL");
  world.pds.delay(0);
  requestsOf(world);
  return locks()[0] ?? "";
}

async function damage(world: TestNode, folder: string, ending: string, how: string): Promise<void> {
  const files = filesIn(world, folder, ending);
  expect([folder, files.length]).toEqual([folder, expect.toSatisfy((count: number) => count > 0)]);
  for (const file of files) await DAMAGE[how]?.(file);
}

describe.concurrent.each(Object.keys(DAMAGE))("a file that is %s", (how) => {
  it("is not used, is said, and changes no answer: evidence and identity", async () => {
    await withCache(async (world, image) => {
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      for (const folder of ["evidence", "identities"]) await damage(world, folder, ".bundle", how);
      requestsOf(world);
      const asked = await world.pull(world.name, image);
      expect(headline(asked)).toBe(SIGNED);
      expect(asked.stdout).not.toContain("cacheTTL");
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
      // What another node could have written is said once, whatever else there is of it.
      const isForeign = asked.stderr.includes("were not written there with");
      for (const folder of isForeign ? [] : ["evidence", "identities"]) {
        expect(asked.stderr).toMatch(new RegExp(`^warning cache\\.unusable: \\S+/${folder}/\\S+\\.bundle `, "m"));
      }
      if (isForeign) expect(asked.stderr.trim().split("\n")).toHaveLength(1);
      expect(asked.stderr).toMatch(/^[ -~\n]*$/);
      // And the next finds what was heard now.
      const again = await world.pull(world.name, image);
      expect([headline(again), again.stderr, requestsOf(world)]).toEqual([SIGNED, "", NO_REQUEST]);
    });
  });

  it("costs nothing but a proof: what was proven", async () => {
    await withCache(async (world, image) => {
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      await damage(world, "evidence", ".proven", how);
      await stopAll(world);
      const again = await world.pull(world.name, image);
      expect(headline(again)).toBe(SIGNED);
      expect(again.stdout).toContain("by cached evidence");
    });
  });

  it("changes no answer: a lock", async () => {
    await withCache(async (world, image) => {
      const lock = await lockOf(world, image);
      writeFileSync(lock, "1 1".padEnd(200));
      await DAMAGE[how]?.(lock);
      const asked = await world.pull(world.name, image);
      expect([headline(asked), asked.stderr]).toEqual([SIGNED, ""]);
      expect([requestsOf(world).pds, existsSync(lock)]).toEqual([1, false]);
    });
  });
});

describe.concurrent("what was proven", () => {
  const provenOf = (world: TestNode, { digest }: Descriptor) =>
    filesIn(world, "evidence", ".proven").find((path) => path.includes(digest.slice(7))) ?? "";

  it("is not believed where it is of other bytes, of another program, or changed under its tag", async () => {
    for (const change of [
      (path: string, key: CacheKey) =>
        changePiece(path, key, (text) => text.replace(/"evidence":"../, '"evidence":"00')),
      (path: string, key: CacheKey) => changePiece(path, key, (text) => text.replace(/"program":"/, '"program":"9.')),
      (path: string) => {
        const file = readFileSync(path, "latin1");
        writeFileSync(path, file.replace('"repository":"app"', '"repository":"web"'), "latin1");
      },
    ]) {
      await withCache(async (world, image) => {
        expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
        // Whose facts would do, and whose evidence does not.
        change(provenOf(world, image), keyOf(world));
        demand(world, { require: { repository: ["web"] } });
        expect(headline(await world.pull(world.name, image))).toBe("1 deny record.wrong_repository");
        demand(world);
        expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      });
    }
  });

  it("is nothing of another digest's, alone or with its evidence", async () => {
    await withCache(async (world, image) => {
      const unsigned = await world.image("unsigned", { signed: false });
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      const put = (endings: readonly string[]) => {
        for (const ending of endings) {
          const from = filesIn(world, "evidence", ending)[0] ?? "";
          writeFileSync(from.replace(image.digest.slice(7), unsigned.digest.slice(7)), readFileSync(from));
        }
      };
      for (const endings of [[".proven"], [".bundle"], [".bundle", ".proven"]]) {
        put(endings);
        expect(headline(await world.pull(world.name, unsigned))).toBe(NONE);
      }
      // Renamed inside as well, the bytes prove what they prove.
      for (const path of filesIn(world, "evidence", ".bundle")) {
        if (!path.includes(unsigned.digest.slice(7))) continue;
        writeFileSync(path, readFileSync(path, "utf8").replaceAll(image.digest, unsigned.digest));
      }
      expect(headline(await world.pull(world.name, unsigned))).toBe(NONE);
    });
  });

  it("is nothing of another signer's: whose memory it is held against is theirs", async () => {
    await withCache(async (world, image) => {
      const { signer, plc, pds, begun } = world;
      const bob = await Signer.create({ seed: "bob", pds: pds.origin, at: begun });
      plc.add(bob.log);
      pds.add(bob.repo);
      demand(world, { top: { trustedDIDs: { [signer.did]: {}, [bob.did]: {} } } });
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      const kept = filesIn(world, "evidence");
      // Seen since: a newer revision, in which the record is gone.
      await signer.unsign(image.digest, Date.now() - 1000);
      const other = await world.image("another");
      expect(headline(await world.pull(world.name, other))).toBe(SIGNED);
      const [hers = "", his = ""] = [signer, bob].map(({ did }) => hashOf(did));
      for (const path of kept) renameSync(path, path.replace(hers, his));
      expect(headline(await world.pull(world.name, image))).toBe(NONE);
    });
  });
});

function hashOf(did: string): string {
  return createHash("sha256").update(did).digest("hex");
}

describe.runIf(isRoot).concurrent("a disk", () => {
  /** The binary, where this is mounted at the cacheDir. Prints what lies there in the end to stderr. */
  function mounted(world: TestNode, mount: string, then = "true"): Ask {
    mkdirSync(cacheOf(world), { recursive: true });
    const script = `PATH=/usr/sbin:/usr/bin:/sbin:/bin; set -e; cd /; ${mount}; ${then}; set +e; "$0" "$@"; code=$?; find "$CACHE" -type f -printf '%P %s\\n' >&2; exit $code`;
    const env = { ...world.env, CACHE: cacheOf(world) };
    return { env, through: ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script] };
  }
  const unprintable = /[^ -~\n]/;

  it("that is full changes no answer, and is left as it was", async () => {
    await withCache(async (world, image) => {
      const tmpfs = 'mount -t tmpfs -o size=64k,mode=755 tmpfs "$CACHE"';
      const full = 'head -c 1000000 /dev/zero > "$CACHE/filler" || true; : > "$CACHE/filler2" || true';
      const unsigned = await world.image("unsigned", { signed: false });
      for (const [asked, expected] of [
        [image, SIGNED],
        [unsigned, NONE],
      ] as const) {
        const answered = await world.pull(world.name, asked, mounted(world, tmpfs, `( ${full} ) 2>/dev/null`));
        expect(headline(answered)).toBe(expected);
        expect(answered.stderr).toMatch(/^warning cache\.not_written: .*ENOSPC/m);
        expect(answered.stderr).toMatch(/^warning lock\.not_taken: the lock image-.*ENOSPC/m);
        expect(answered.stderr).not.toMatch(unprintable);
        const left = answered.stderr
          .split("\n")
          .filter((line) => /^\S+ \d+$/.test(line) && !/^marks\/\S+ 0$/.test(line));
        expect(left.map((line) => line.split(" ")[0] ?? "").toSorted()).toEqual(["filler", "filler2"]);
      }
    });
  });

  it("that takes no more files changes no answer", async () => {
    await withCache(async (world, image) => {
      const tmpfs = 'mount -t tmpfs -o nr_inodes=2,mode=755 tmpfs "$CACHE"';
      const answered = await world.pull(world.name, image, mounted(world, tmpfs));
      expect(headline(answered)).toBe(SIGNED);
      expect(answered.stderr).toMatch(/^warning [a-z_]+\.[a-z_]+: /m);
    });
  });

  it("that is read-only changes no answer, also not of what lies there", async () => {
    await withCache(async (world, image) => {
      const readOnly = 'mount --bind "$CACHE" "$CACHE"; mount -o remount,bind,ro "$CACHE"';
      const asked = await world.pull(world.name, image, mounted(world, readOnly));
      expect(headline(asked)).toBe(SIGNED);
      expect(asked.stderr).toMatch(/^warning cache\.not_written: .*EROFS/m);
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      requestsOf(world);
      const cached = await world.pull(world.name, image, mounted(world, readOnly));
      expect([headline(cached), requestsOf(world)]).toEqual([SIGNED, NO_REQUEST]);
      const other = await world.image("other");
      expect(headline(await world.pull(world.name, other, mounted(world, readOnly)))).toBe(SIGNED);
    });
  });

  it("that is read-only keeps neither a mark nor a removal, but what was deleted is remembered with the history", async () => {
    await withCache(
      async (world, image) => {
        const readOnly = 'mount --bind "$CACHE" "$CACHE"; mount -o remount,bind,ro "$CACHE"';
        const silent = () => world.pds.override(RECORD, { status: 503 });
        demand(world, { require: { maxStaleness: "1h" } });
        expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
        const [file = ""] = filesIn(world, "evidence");
        const written = readFileSync(file);
        expect(headline(await world.pull(world.name, image, mounted(world, readOnly)))).toBe(SIGNED);
        await world.signer.unsign(image.digest, Date.now() - 1000);
        const heard = await world.pull(world.name, image, mounted(world, readOnly));
        expect(headline(heard)).toBe(NONE);
        // Said at the pull whose answer is lost.
        expect(heard.stderr).toMatch(/^warning [a-z_.]+: .*EROFS/m);
        // Neither removed nor renewed: it is as old as it is.
        expect(readFileSync(file)).toEqual(written);
        let restore = silent();
        const stale = await world.pull(world.name, image, mounted(world, readOnly));
        expect(headline(stale)).toBe("2 inconclusive pds.unreachable");
        restore();
        // Once it can be written, the next answer ends it.
        expect(headline(await world.pull(world.name, image))).toBe(NONE);
        restore = silent();
        expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive pds.unreachable");
        restore();
      },
      { cacheEnabled: false },
    );
  });
});

describe.runIf(isRoot).concurrent("files that another user may not read", () => {
  it("are one warning of cache list and cache show, and nothing is counted that is not known", async () => {
    await withCache(async (world, image) => {
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      for (const folder of [world.folder, cacheOf(world)]) chmodSync(folder, 0o755);
      let count = 0;
      for (const folder of readdirSync(cacheOf(world))) {
        if (folder === "marks" || folder === "locks") continue;
        chmodSync(cacheOf(world, folder), 0o755);
        for (const file of filesIn(world, folder)) chmodSync(file, 0o600);
        count += filesIn(world, folder).filter((file) => !file.endsWith(".proven")).length;
      }
      expect(count).toBe(2);
      const through = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const asNobody = (...args: readonly string[]) => ask(["cache", ...args], { env: world.env, through });
      const denied = `${count} files in ${cacheOf(world)} could not be read: run this as root`;
      expect(await asNobody("list")).toMatchObject({
        code: 1,
        stdout: "",
        stderr: `warning access.denied: ${denied}\n`,
      });
      const shown = await asNobody("show", image.digest);
      expect(shown).toMatchObject({ code: 1, stderr: `warning access.denied: ${denied}\n` });
      expect(shown.stdout).toContain("that could be read");
      const said: unknown = JSON.parse((await asNobody("list", "--output", "json")).stdout);
      expect(said).toEqual({
        cacheDir: cacheOf(world),
        pieces: [],
        warnings: [{ code: "access.denied", message: denied }],
      });

      // What can be read is not known to be this node's without the key.
      for (const file of filesIn(world, "identities")) chmodSync(file, 0o644);
      const some = await asNobody("list");
      expect([some.code, some.stdout]).toEqual([1, ""]);
      expect(some.stderr).toMatch(/^warning cache\.no_key: \S[^\n]*EACCES[^\n]*; run this as root/);
      expect(some.stderr.split("\n")[1]).toBe(`warning access.denied: ${denied.replace("2 files", "1 file")}`);
    });
  });
});

describe.concurrent("a folder", () => {
  it.each<[string, (path: string) => unknown, RegExp?]>([
    ["that is a file", (path) => writeFileSync(path, ""), /ENOTDIR/],
    [
      "that everybody can write",
      (path) => {
        mkdirSync(path);
        chmodSync(path, 0o777);
      },
      /can be written by others/,
    ],
    ["that is a link in circles", (path) => symlinkSync(path, path), /more than \d+ symlinks|ELOOP/],
    ["that is a link to nowhere", (path) => symlinkSync("/nowhere/there", path), /./],
    ["that is not there yet", () => {}],
  ])("%s changes no answer", async (_, make, warning) => {
    await withCache(async (world, image) => {
      make(cacheOf(world));
      for (const [asked, expected] of [
        [image, SIGNED],
        [await world.image("unsigned", { signed: false }), NONE],
      ] as const) {
        const answered = await world.pull(world.name, asked);
        expect(headline(answered)).toBe(expected);
        expect(answered.stderr).toMatch(warning ?? /^$/);
      }
    });
  });

  it("without a parent changes no answer", async () => {
    await withCache(
      async (world, image) => {
        const answered = await world.pull(world.name, image);
        expect([headline(answered), existsSync("/nonexistent")]).toEqual([SIGNED, false]);
        expect(answered.stderr).toMatch(/ENOENT/);
      },
      { cacheDir: "/nonexistent/deep/cache" },
    );
  });

  it("that an attacker may add to gives them nothing: evidence of theirs proves itself or is nothing", async () => {
    await withCache(async (world, image) => {
      const unsigned = await world.image("unsigned", { signed: false });
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      chmodSync(cacheOf(world, "evidence"), 0o777);
      for (const path of filesIn(world, "evidence")) {
        writeFileSync(path.replace(image.digest.slice(7), unsigned.digest.slice(7)), readFileSync(path));
      }
      const answered = await world.pull(world.name, unsigned);
      expect(headline(answered)).toBe(NONE);
      expect(answered.stderr).toMatch(/evidence can be written by others \(mode 777\)/);
      expect(readdirSync(cacheOf(world, "evidence")).length).toBe(4);
      expect(BINARY).toContain("atcr-verify");
    });
  });
});
