import { chmodSync, chownSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Bench, DESCRIPTOR_TYPE, headline } from "../support/binary.ts";
import { requirement } from "../support/requirement.ts";

const DIGEST = `sha256:${"a1".repeat(32)}`;
const IMAGE = { mediaType: DESCRIPTOR_TYPE, digest: DIGEST, size: 428 };
const NAME = "registry.example/team/app:v1";
const ALLOWING = 'version: 1\ntrustedDIDs: ["did:web:a.example"]\ndefault: allow\n';
const ALLOWED = "0 allow exempt";
const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const canChown = requirement(
  "files of other users",
  isRoot ? undefined : "run as root: files are given to another user",
);

/** Both files that decide about trust; what holds for one holds for the other. */
const KINDS = ["policy", "configuration"] as const;
type Kind = (typeof KINDS)[number];

const benches: Bench[] = [];
afterAll(() => {
  for (const bench of benches) bench.remove();
});

class Files extends Bench {
  readonly kind: Kind;
  /** Of the file that is tampered with; one folder below the bench's own. */
  readonly path: string;

  constructor(kind: Kind) {
    super();
    benches.push(this);
    this.kind = kind;
    this.policy(ALLOWING);
    const content =
      kind === "policy" ? ALLOWING : JSON.stringify({ trustPolicyPath: join(this.folder, "policy.yaml") });
    this.path = this.write("etc/file.yaml", content);
  }

  get rejected(): string {
    return this.kind === "policy" ? "3 misconfigured policy.invalid" : "3 misconfigured config.invalid";
  }

  /** What comes of a pull whose file is this one. */
  async judge(path = this.path): Promise<{ headline: string; reason: string }> {
    const config = this.kind === "policy" ? this.configure({ trustPolicyPath: path }) : path;
    const answered = await this.pull(NAME, IMAGE, { env: { ATCR_VERIFY_CONFIG: config } });
    expect(answered.stdout).toMatch(/^[ -~]{1,1023}\n$/);
    return { headline: headline(answered), reason: answered.stdout };
  }

  async expectRejected(because: string | RegExp, path = this.path): Promise<void> {
    const { headline: found, reason } = await this.judge(path);
    expect(found).toBe(this.rejected);
    expect(reason).toMatch(because);
  }
}

describe.concurrent.each(KINDS)("the file of the %s", (kind) => {
  it("is read when root or the running user alone can change it", async () => {
    const files = new Files(kind);
    expect((await files.judge()).headline).toBe(ALLOWED);
    for (const mode of [0o644, 0o600, 0o400, 0o755, 0o444]) {
      chmodSync(files.path, mode);
      expect((await files.judge()).headline).toBe(ALLOWED);
    }
  });

  it("must be there", async () => {
    const files = new Files(kind);
    rmSync(files.path);
    await files.expectRejected(/there is no (?:trust policy|configuration) \S+file\.yaml/);
    await files.expectRejected(/there is no/, join(files.folder, "no", "such", "folder"));
    await files.expectRejected(/cannot be read/, join(files.folder, "policy.yaml", "below-a-file"));
    await files.expectRejected(/cannot be read/, `/${"x".repeat(300)}`);
  });

  it("must be UTF-8, and of a size that a person would write", async () => {
    const files = new Files(kind);
    files.write("etc/file.yaml", Buffer.from("# \xff\n", "latin1"));
    await files.expectRejected(/is not UTF-8/);
    files.write("etc/file.yaml", Buffer.from(`\ufeff${ALLOWING}`, "utf16le"));
    await files.expectRejected(/is not UTF-8|found/);
    files.write("etc/file.yaml", "#".repeat(1024 * 1024 + 1));
    await files.expectRejected(/has 1048577 bytes, at most 1048576/);
  });

  it("is named with line and column where its content is wrong", async () => {
    const files = new Files(kind);
    const first = kind === "policy" ? "version: 1\n" : "deadline: 5s\n";
    files.write("etc/file.yaml", `${first}\n  # a comment\nunknown: true\n`);
    await files.expectRejected(/etc\/file\.yaml:4:1: unknown: /);
    files.write("etc/file.yaml", `${first}${first}`);
    await files.expectRejected(/etc\/file\.yaml:2:1: /);
    files.write("etc/file.yaml", `${first}a: [\n`);
    await files.expectRejected(/etc\/file\.yaml:\d+:\d+: found invalid YAML/);
    // What ends the parser's stack is a mistake in the file like any other.
    files.write("etc/file.yaml", "[".repeat(20_000));
    await files.expectRejected(/etc\/file\.yaml:\d+:\d+: /);
  });

  it.each([0o664, 0o646, 0o666, 0o620, 0o602, 0o1666, 0o2664])(
    "must not be writable by others: mode %o",
    async (mode) => {
      const files = new Files(kind);
      chmodSync(files.path, mode);
      await files.expectRejected(/can be written by others .* chmod go-w/);
    },
  );

  it.each([0o775, 0o757, 0o777, 0o2775])("must not lie in a folder that others can write: mode %o", async (mode) => {
    const files = new Files(kind);
    chmodSync(dirname(files.path), mode);
    await files.expectRejected(/on the way to .* can be written by others/);
  });

  it("may lie in a sticky folder, where others cannot replace it", async () => {
    const files = new Files(kind);
    chmodSync(dirname(files.path), 0o1777);
    expect((await files.judge()).headline).toBe(ALLOWED);
    chmodSync(files.path, 0o666 | 0o1000);
    expect((await files.judge()).headline).toBe(files.rejected);
  });

  it("may be a link, to folders also, but a chain of them has an end", async () => {
    const files = new Files(kind);
    const at = (name: string) => join(files.folder, name);
    symlinkSync("etc", at("folder-link"));
    symlinkSync("folder-link/../folder-link/./file.yaml", at("link"));
    symlinkSync(at("link"), at("absolute"));
    expect((await files.judge(at("absolute"))).headline).toBe(ALLOWED);
    symlinkSync("b", at("a"));
    symlinkSync("a", at("b"));
    await files.expectRejected(/cannot be read/, at("a"));
    symlinkSync("nowhere", at("dangling"));
    await files.expectRejected(/there is no/, at("dangling"));
  });

  it("must not be behind a link through a folder that others can write", async () => {
    const files = new Files(kind);
    const open = join(files.folder, "open");
    mkdirSync(open);
    symlinkSync(files.path, join(open, "second"));
    symlinkSync(join(open, "second"), join(files.folder, "first"));
    expect((await files.judge(join(files.folder, "first"))).headline).toBe(ALLOWED);
    chmodSync(open, 0o777);
    await files.expectRejected(/on the way to .*\/open can be written by others/, join(files.folder, "first"));
    await files.expectRejected(/on the way to .*\/open can be written by others/, join(open, "second"));
  });

  it("must not be in a folder that is a link into one that others can write", async () => {
    const files = new Files(kind);
    const open = join(files.folder, "open");
    mkdirSync(join(open, "inner"), { recursive: true });
    renameSync(files.path, join(open, "inner", "file.yaml"));
    symlinkSync(join(open, "inner"), join(files.folder, "link"));
    expect((await files.judge(join(files.folder, "link", "file.yaml"))).headline).toBe(ALLOWED);
    chmodSync(open, 0o777);
    await files.expectRejected(/\/open can be written by others/, join(files.folder, "link", "file.yaml"));
    chmodSync(open, 0o755);
    chmodSync(join(open, "inner"), 0o777);
    await files.expectRejected(/\/inner can be written by others/, join(files.folder, "link", "file.yaml"));
    rmSync(join(files.folder, "link"));
    symlinkSync(open, join(files.folder, "link"));
    await files.expectRejected(/\/inner can be written by others/, join(files.folder, "link", "inner", "file.yaml"));
  });
});

describe.runIf(canChown).concurrent.each(KINDS)("owned by somebody else, the file of the %s", (kind) => {
  it("is refused: the file", async () => {
    const files = new Files(kind);
    chownSync(files.path, NOBODY, NOBODY);
    await files.expectRejected(/belongs to user 65534, expected root or the running user/);
  });

  it("is refused: its folder", async () => {
    const files = new Files(kind);
    chownSync(dirname(files.path), NOBODY, NOBODY);
    await files.expectRejected(/belongs to user 65534/);
  });

  it("is refused: a link to it, in a sticky folder where anybody can make one", async () => {
    const files = new Files(kind);
    const sticky = join(files.folder, "sticky");
    mkdirSync(sticky);
    chmodSync(sticky, 0o1777);
    symlinkSync(files.path, join(sticky, "link"));
    expect((await files.judge(join(sticky, "link"))).headline).toBe(ALLOWED);
    lchownSync(join(sticky, "link"), NOBODY, NOBODY);
    await files.expectRejected(/belongs to user 65534/, join(sticky, "link"));
    // Behind a link of root's, too.
    symlinkSync(join(sticky, "link"), join(files.folder, "first"));
    await files.expectRejected(/belongs to user 65534/, join(files.folder, "first"));
  });

  it("is refused: a folder on the way of a second link", async () => {
    const files = new Files(kind);
    const theirs = join(files.folder, "theirs");
    mkdirSync(theirs);
    symlinkSync(files.path, join(theirs, "second"));
    symlinkSync(join(theirs, "second"), join(files.folder, "first"));
    chownSync(theirs, NOBODY, NOBODY);
    await files.expectRejected(/belongs to user 65534/, join(files.folder, "first"));
  });

  it("is read where that is the running user, who must be able to read it", async () => {
    const files = new Files(kind);
    const through = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    chmodSync(files.folder, 0o755);
    chownSync(files.path, NOBODY, NOBODY);
    const config = kind === "policy" ? files.configure({ trustPolicyPath: files.path }) : files.path;
    const ask = () => files.pull(NAME, IMAGE, { through, env: { ATCR_VERIFY_CONFIG: config, PATH: "/usr/bin:/bin" } });
    expect(headline(await ask())).toBe(ALLOWED);
    chownSync(files.path, 0, 0);
    expect(headline(await ask())).toBe(ALLOWED);
    chownSync(files.path, 12_345, 12_345);
    expect(headline(await ask())).toBe(files.rejected);
    chownSync(files.path, 0, 0);
    chmodSync(files.path, 0o600);
    const unreadable = await ask();
    expect(headline(unreadable)).toBe(files.rejected);
    expect(unreadable.stdout).toContain("permission denied");
  });
});
