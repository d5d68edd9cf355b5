import type { BinDirEntry } from "../platform/containerd/bin-dir.ts";
import { ENTRY } from "../platform/containerd/verifier-link.ts";
import { type CheckResult, ok, problem, unseen, WHY_UNKNOWN, warning } from "./check.ts";

/** Names of files that editors, package managers and backups leave behind. */
const LEFTOVER = /^\.|~$|\.(?:dpkg-\w+|rpm(?:new|save|orig)|bak|old|new|orig|swp|tmp)$|^README/i;

export interface BinDir {
  /** Empty: containerd runs no verifier. */
  readonly path: string;
  /** In the order in which containerd runs them; undefined if the folder does not exist. */
  readonly entries: readonly BinDirEntry[] | undefined;
  readonly maxVerifiers: number;
  /** Whether containerd's configuration could not be read, so that its default folder is assumed. */
  readonly isAssumed?: boolean;
  /** Why others can change which program containerd runs there, as a clause. */
  readonly distrust?: string;
}

/**
 * Whether containerd runs this program, and nothing that blocks pulls.
 *
 * @param program absolute path of this program
 */
export function checkBinDir(binDir: BinDir, program: string): readonly CheckResult[] {
  const { path, entries, distrust } = binDir;
  const enable = "run: atcr-verify enable";
  if (path === "") {
    return [
      problem(
        "bin-dir",
        "containerd runs no verifier and allows every pull, because bin_dir is empty",
        "set bin_dir in containerd's configuration, and restart containerd",
      ),
    ];
  }
  if (!path.startsWith("/")) {
    const found = `bin_dir is ${path}, a relative path: its meaning depends on the folder that containerd was started in`;
    return [problem("bin-dir", found, "set an absolute path in containerd's configuration, and restart containerd")];
  }
  if (binDir.isAssumed === true) {
    const found = `containerd's bin_dir is not known, so its default, ${path}, was checked`;
    const rest = checkBinDir({ ...binDir, isAssumed: false }, program).map(asAssumed);
    return [warning("bin-dir", found, WHY_UNKNOWN), ...rest];
  }
  if (entries === undefined) {
    return [
      problem(
        "bin-dir",
        `containerd runs no verifier and allows every pull, because bin_dir, ${path}, does not exist`,
        enable,
      ),
    ];
  }
  const own = entries.filter(({ leadsTo, copyOf }) => leadsTo === program || copyOf === program);
  const others = entries.filter((entry) => !own.includes(entry));
  return [
    distrust === undefined
      ? ok("bin-dir", `containerd runs the verifiers in ${path}`)
      : problem("bin-dir", `others can change what containerd runs as root: ${distrust}`, "let only root change it"),
    ...(own.length === 0 ? [missing(binDir, program, enable)] : own.flatMap((entry) => checkOwn(entry, binDir))),
    ...others.flatMap((entry) => checkOther(entry, binDir)),
  ];
}

/**
 * Whether adding an entry makes containerd skip a verifier that it runs now.
 *
 * @param after all entries, the added one included, in their order
 */
export function checkAdded(
  { path, entries = [], maxVerifiers }: BinDir,
  after: readonly BinDirEntry[],
): readonly CheckResult[] {
  const isRun = (of: readonly BinDirEntry[], { name }: BinDirEntry): boolean =>
    maxVerifiers < 0 || of.findIndex((entry) => entry.name === name) < maxVerifiers;
  return entries
    .filter((entry) => isRun(entries, entry) && !isRun(after, entry))
    .map(({ name }) =>
      problem(
        "entries",
        `containerd would skip ${path}/${name}: it runs only the first ${maxVerifiers} entries (max_verifiers)`,
        "raise max_verifiers, or remove entries that are not needed",
      ),
    );
}

/** Makes a finding conditional on containerd's default folder. */
function asAssumed(finding: CheckResult): CheckResult {
  return { ...finding, found: `if bin_dir is the default: ${finding.found}` };
}

function missing({ path, entries = [] }: BinDir, program: string, enable: string): CheckResult {
  const named = entries.find(({ name }) => name === ENTRY);
  if (named?.leadsTo !== undefined) {
    const what = named.isLink ? `points to ${named.leadsTo}` : "is another program";
    return problem("link", `${path}/${ENTRY} ${what}, not ${program}`, `${enable}, or the doctor of that program`);
  }
  const hidden = entries.filter(({ isUnseen }) => isUnseen).map(({ name }) => `${path}/${name}`);
  if (hidden.length > 0) return unseen("link", "whether containerd runs this program", hidden.join(", "));
  return problem("link", `nothing in ${path} points to ${program}: containerd does not run this program`, enable);
}

function checkOwn(
  { name, isLink, leadsTo, copyOf }: BinDirEntry,
  { path, entries = [], maxVerifiers }: BinDir,
): readonly CheckResult[] {
  const at = entries.findIndex((entry) => entry.name === name);
  if (maxVerifiers >= 0 && at >= maxVerifiers) {
    const found = `containerd skips ${path}/${name}: it is entry ${at + 1}, and only the first ${maxVerifiers} are run (max_verifiers)`;
    return [problem("link", found, "remove other entries, or raise max_verifiers")];
  }
  if (copyOf !== undefined) {
    const what = isLink
      ? `points to a copy of this program, ${leadsTo ?? copyOf}`
      : "is a copy of this program, not a link";
    const found = `${path}/${name} ${what}: an upgrade or atcr-verify disable does not change it`;
    return [warning("link", found, `move it out of ${path}, and run: atcr-verify enable`)];
  }
  if (!isLink) {
    const found = `${path}/${name} is this program itself, not a link: containerd also runs what an upgrade puts beside it for a moment`;
    return [warning("link", found, "install it elsewhere, and run: atcr-verify enable")];
  }
  return [ok("link", `${path}/${name} points to this program`)];
}

function checkOther(
  { name, broken, copyOf, isUnseen }: BinDirEntry,
  { path, entries = [], maxVerifiers }: BinDir,
): readonly CheckResult[] {
  const at = entries.findIndex((entry) => entry.name === name);
  if (maxVerifiers >= 0 && at >= maxVerifiers) {
    return [
      warning(
        "entries",
        `containerd skips ${path}/${name}: it is entry ${at + 1}, and only the first ${maxVerifiers} are run (max_verifiers)`,
        "remove it, or raise max_verifiers",
      ),
    ];
  }
  if (broken !== undefined) {
    const found = `${path}/${name} cannot be executed (${broken}): it blocks every pull`;
    return [problem("entries", found, `move it out of ${path}`)];
  }
  if (LEFTOVER.test(name)) {
    return [
      problem(
        "entries",
        `${path}/${name} looks like a file that an editor or a package manager left behind, and containerd runs it at every pull`,
        `move it out of ${path}`,
      ),
    ];
  }
  if (isUnseen) return [unseen("entries", `whether ${path}/${name} is another verifier`, "its target")];
  const what = copyOf === undefined ? "another program" : `a copy of ${copyOf}`;
  const found = `${path}/${name} is ${what}, which containerd runs as well: every verifier must allow a pull`;
  return [warning("entries", found, "check that it belongs there")];
}
