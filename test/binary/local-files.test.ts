import { chmodSync, chownSync, lchownSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
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
      kind === "policy"
        ? ALLOWING
        : JSON.stringify({
            trustPolicyPath: join(this.folder, "policy.yaml"),
            // Nothing of the machine's is touched.
            cacheEnabled: false,
            decisionLog: "none",
          });
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
    await files.expectRejected(/the (?:trust policy|configuration) \S+file\.yaml.* does not exist/);
    await files.expectRejected(/does not exist/, join(files.folder, "no", "such", "folder"));
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
    await files.expectRejected(/etc\/file\.yaml:\d+:\d+: found a list or map in brackets/);
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
    await files.expectRejected(/the path to .*: .* can be written by others/);
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
    await files.expectRejected(/dangling symlink/, at("dangling"));
  });

  it("must not be behind a link through a folder that others can write", async () => {
    const files = new Files(kind);
    const open = join(files.folder, "open");
    mkdirSync(open);
    symlinkSync(files.path, join(open, "second"));
    symlinkSync(join(open, "second"), join(files.folder, "first"));
    expect((await files.judge(join(files.folder, "first"))).headline).toBe(ALLOWED);
    chmodSync(open, 0o777);
    await files.expectRejected(/the path to .*: .*\/open can be written by others/, join(files.folder, "first"));
    await files.expectRejected(/the path to .*: .*\/open can be written by others/, join(open, "second"));
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
    // Where systemd has set fs.protected_symlinks, Linux itself does not follow it.
    const isProtected = readFileSync("/proc/sys/fs/protected_symlinks", "utf8").trim() === "1";
    const because = isProtected ? /EACCES/ : /belongs to user 65534/;
    await files.expectRejected(because, join(sticky, "link"));
    // Behind a link of root's, too.
    symlinkSync(join(sticky, "link"), join(files.folder, "first"));
    await files.expectRejected(because, join(files.folder, "first"));
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

/** A policy that denies NAME in a fragment; by itself it would let it through. */
class Fragments extends Files {
  readonly fragment: string;
  readonly policyD: string;

  constructor() {
    super("policy");
    this.fragment = this.write("etc/policy.d/50-deny.yaml", DENYING);
    this.policyD = dirname(this.fragment);
  }
}
const DENYING = "version: 1\npolicies: [{ name: never, scope: registry.example/**, action: deny }]\n";
const DENIED = "1 deny policy.denied";

describe.concurrent("policy.d beside the policy", () => {
  it("holds fragments that are in force, in the byte order of their names", async () => {
    const files = new Fragments();
    expect((await files.judge()).headline).toBe(DENIED);
    // Of the first rule that matches: "10" stands before "50", "B" before "a", and "a" before what is not ASCII.
    const allowing = (name: string) =>
      `version: 1\npolicies: [{ name: ${name}, scope: registry.example/team/app, action: allow }]\n`;
    for (const name of ["\u{1f511}", "\uff5e", "a", "B"]) {
      files.write(`etc/policy.d/${name}.yaml`, allowing(`rule-of-${/^\w$/.test(name) ? name : name.length}`));
    }
    rmSync(files.fragment);
    expect((await files.judge()).reason).toContain('rule "rule-of-B"');
    rmSync(join(files.policyD, "B.yaml"));
    expect((await files.judge()).reason).toContain('rule "rule-of-a"');
    rmSync(join(files.policyD, "a.yaml"));
    expect((await files.judge()).reason).toContain('rule "rule-of-1"');
    files.write("etc/policy.d/10.yaml", DENYING);
    expect((await files.judge()).headline).toBe(DENIED);
  });

  it("may be missing, and empty, and replaces no policy", async () => {
    const files = new Fragments();
    rmSync(files.fragment);
    expect((await files.judge()).headline).toBe(ALLOWED);
    rmSync(files.policyD, { recursive: true });
    expect((await files.judge()).headline).toBe(ALLOWED);
    files.write("etc/policy.d/50.yaml", ALLOWING);
    rmSync(files.path);
    await files.expectRejected(/the trust policy .* does not exist/);
  });

  it.each(["README", "50-deny.yaml~", "50-deny.yaml.dpkg-old", ".50-deny.yaml", ".50-deny.yml", "yaml"])(
    "is not read for a file %s",
    async (name) => {
      const files = new Fragments();
      renameSync(files.fragment, join(files.policyD, name));
      expect((await files.judge()).headline).toBe(ALLOWED);
    },
  );

  it.each(["50-deny.yml", "50-deny.YAML", "50-deny.Yml"])(
    "must not hold what looks like a fragment: %s",
    async (name) => {
      const files = new Fragments();
      files.write(`etc/policy.d/${name}`, DENYING);
      await files.expectRejected(`policy.d/${name} is not read, because its name does not end in .yaml`);
    },
  );

  it.each([0o775, 0o757, 0o777, 0o2775])("must not be writable by others: mode %o", async (mode) => {
    const files = new Fragments();
    chmodSync(files.policyD, mode);
    await files.expectRejected(/fragments \S+\/policy\.d can be written by others .* chmod go-w/);
  });

  it.each([0o1777, 0o1775])(
    "must not be sticky and writable either, for links to files of root: mode %o",
    async (mode) => {
      const files = new Fragments();
      chmodSync(files.policyD, mode);
      await files.expectRejected(
        /policy\.d can be written by others \(the sticky bit is not enough here\); run: chmod go-w/,
      );
    },
  );

  it("may be a link to a folder that nobody else can write, sticky or not, and must lead somewhere", async () => {
    const files = new Fragments();
    const elsewhere = join(files.folder, "elsewhere");
    renameSync(files.policyD, elsewhere);
    symlinkSync("../elsewhere", files.policyD);
    expect((await files.judge()).headline).toBe(DENIED);
    chmodSync(elsewhere, 0o1777);
    await files.expectRejected(/can be written by others \(the sticky bit is not enough/);
    renameSync(elsewhere, `${elsewhere}.old`);
    await files.expectRejected(/policy\.d cannot be read/);
  });

  it("must be a folder", async () => {
    const files = new Fragments();
    rmSync(files.policyD, { recursive: true });
    files.write("etc/policy.d", "");
    await files.expectRejected(/policy\.d is not a folder/);
  });

  it("must hold files that others cannot write", async () => {
    const files = new Fragments();
    chmodSync(files.fragment, 0o664);
    await files.expectRejected(/50-deny\.yaml can be written by others .* chmod go-w/);
  });

  it("may hold links, of which each must lead to a file by a way that others cannot change", async () => {
    const files = new Fragments();
    const open = files.write("open/deny.yaml", DENYING);
    rmSync(files.fragment);
    symlinkSync("../../open/deny.yaml", files.fragment);
    expect((await files.judge()).headline).toBe(DENIED);
    chmodSync(dirname(open), 0o777);
    await files.expectRejected(/the path to the policy's fragment: \S+\/open can be written by others/);
    chmodSync(dirname(open), 0o755);
    rmSync(open);
    await files.expectRejected(/50-deny\.yaml cannot be read: its path has a dangling symlink/);
    mkdirSync(open);
    await files.expectRejected(/50-deny\.yaml is not a regular file/);
  });

  it("is named with file, line and column where a fragment is wrong, and the other place of what stands twice", async () => {
    const files = new Fragments();
    files.write("etc/policy.d/60.yaml", `# again\n${DENYING}`);
    await files.expectRejected(
      /policy\.d\/60\.yaml:3:20: policies\[0\]\.name: .* the rule in \S+\/policy\.d\/50-deny\.yaml:2 has the same name/,
    );
    files.write("etc/policy.d/60.yaml", "version: 1\ndefault: deny\n");
    await files.expectRejected(/policy\.d\/60\.yaml:2:1: default: .* \S+\/etc\/file\.yaml:3/);
  });

  it("holds 100 fragments at most", async () => {
    const files = new Fragments();
    for (let i = 0; i < 99; i++) files.write(`etc/policy.d/${i}.yaml`, "version: 1\n");
    expect((await files.judge()).headline).toBe(DENIED);
    files.write("etc/policy.d/99.yaml", "version: 1\n");
    await files.expectRejected(/policy\.d has 101 \*\.yaml files; at most 100 are allowed/);
  });
});

describe.runIf(canChown).concurrent("owned by somebody else", () => {
  it("policy.d is refused, empty too", async () => {
    const files = new Fragments();
    chownSync(files.policyD, NOBODY, NOBODY);
    await files.expectRejected(/policy\.d belongs to user 65534/);
    rmSync(files.fragment);
    await files.expectRejected(/policy\.d belongs to user 65534/);
  });

  it("a fragment is refused, and a link to one", async () => {
    const files = new Fragments();
    chownSync(files.fragment, NOBODY, NOBODY);
    await files.expectRejected(/50-deny\.yaml belongs to user 65534, expected root or the running user/);
    chownSync(files.fragment, 0, 0);
    symlinkSync("../file.yaml", join(files.policyD, "60.yaml"));
    lchownSync(join(files.policyD, "60.yaml"), NOBODY, NOBODY);
    await files.expectRejected(/60\.yaml belongs to user 65534/);
  });

  it("policy.d is refused where the running user cannot read it", async () => {
    const files = new Fragments();
    const through = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    chmodSync(files.folder, 0o755);
    const env = { ATCR_VERIFY_CONFIG: files.configure({ trustPolicyPath: files.path }), PATH: "/usr/bin:/bin" };
    expect(headline(await files.pull(NAME, IMAGE, { through, env }))).toBe(DENIED);
    chmodSync(files.policyD, 0o700);
    const unreadable = await files.pull(NAME, IMAGE, { through, env });
    expect(headline(unreadable)).toBe(files.rejected);
    expect(unreadable.stdout).toContain("permission denied");
  });
});
