import type { BinDirEntry } from "../platform/containerd/bin-dir.ts";
import { ENTRY } from "../platform/containerd/verifier-link.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

/** Names that editors, package managers and copies leave behind. */
const LEFTOVER = /^\.|~$|\.(?:dpkg-\w+|rpm(?:new|save|orig)|bak|old|new|orig|swp|tmp)$|^README/i;

export interface BinDir {
  /** Empty: containerd runs no verifier. */
  readonly path: string;
  /** In the order in which they are run; undefined where there is no folder. */
  readonly entries: readonly BinDirEntry[] | undefined;
  readonly maxVerifiers: number;
  /** Whether it is containerd's default, as its configuration could not be read. */
  readonly isAssumed?: boolean;
  /** Who else can change which program containerd runs there, as a clause. */
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
        "bin_dir is empty: containerd runs no verifier and allows every pull",
        "set bin_dir in containerd's configuration",
      ),
    ];
  }
  if (!path.startsWith("/")) {
    const found = `bin_dir is ${path}, which containerd looks for in the folder that it was started in`;
    return [problem("bin-dir", found, "set it to an absolute path in containerd's configuration, and restart it")];
  }
  if (binDir.isAssumed === true) {
    const found = `which folder containerd runs verifiers from is not known, so what is said here is of its default, ${path}`;
    const rest = checkBinDir({ ...binDir, isAssumed: false }, program).map(asAssumed);
    return [warning("bin-dir", found, "see why its configuration could not be read, above"), ...rest];
  }
  if (entries === undefined) {
    return [problem("bin-dir", `bin_dir is ${path}, which is not there: every pull is allowed`, enable)];
  }
  const own = entries.filter(({ leadsTo, copyOf }) => leadsTo === program || copyOf === program);
  const others = entries.filter((entry) => !own.includes(entry));
  return [
    distrust === undefined
      ? ok("bin-dir", `containerd runs the verifiers in ${path}`)
      : problem(
          "bin-dir",
          `somebody else decides what containerd runs, as root: ${distrust}`,
          "correct owner and mode",
        ),
    ...(own.length === 0 ? [missing(binDir, program, enable)] : own.flatMap((entry) => checkOwn(entry, binDir))),
    ...others.flatMap((entry) => checkOther(entry, binDir)),
  ];
}

/**
 * Whether one entry more makes containerd skip a verifier that it runs now.
 *
 * @param after all entries, in their order
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
        `${path}/${name} would be skipped, as one more than ${maxVerifiers} (max_verifiers): it allows no pull and refuses none then`,
        "raise max_verifiers, or remove what is not needed",
      ),
    );
}

/** As a statement about a folder that may be another one. */
function asAssumed(finding: CheckResult): CheckResult {
  return { ...finding, found: `if that is its folder: ${finding.found}` };
}

function missing({ path, entries = [] }: BinDir, program: string, enable: string): CheckResult {
  const named = entries.find(({ name }) => name === ENTRY);
  if (named?.leadsTo !== undefined) {
    const found = `${path}/${ENTRY} leads to ${named.leadsTo}, and this program is ${program}`;
    return problem("link", found, `${enable}; or ask the doctor of that program`);
  }
  const hidden = entries.filter(({ isUnseen }) => isUnseen).map(({ name }) => `${path}/${name}`);
  if (hidden.length > 0) return unseen("link", "whether this program is asked", hidden.join(", "));
  return problem("link", `nothing in ${path} leads to ${program}: this program is not asked`, enable);
}

function checkOwn(
  { name, isLink, copyOf }: BinDirEntry,
  { path, entries = [], maxVerifiers }: BinDir,
): readonly CheckResult[] {
  const at = entries.findIndex((entry) => entry.name === name);
  if (maxVerifiers >= 0 && at >= maxVerifiers) {
    const found = `${path}/${name} is number ${at + 1}, and only the first ${maxVerifiers} are run (max_verifiers): it is skipped`;
    return [problem("link", found, "remove other entries, or raise max_verifiers")];
  }
  if (copyOf !== undefined) {
    const found = `${path}/${name} is a copy of this program: it is asked at each pull, and stays as it is when this one is upgraded or disabled`;
    return [warning("link", found, `move it out of ${path}, and run: atcr-verify enable`)];
  }
  if (!isLink) {
    const found = `${path}/${name} is the program itself: while it is upgraded, what lies beside it is executed too`;
    return [warning("link", found, "install it elsewhere, and run: atcr-verify enable")];
  }
  return [ok("link", `${path}/${name} leads to this program`)];
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
        `${path}/${name} is number ${at + 1} and is skipped (max_verifiers is ${maxVerifiers})`,
        "remove it, or raise max_verifiers",
      ),
    ];
  }
  if (broken !== undefined) {
    const found = `${path}/${name} cannot be executed (${broken}), which blocks every pull`;
    return [problem("entries", found, `move it out of ${path}`)];
  }
  if (LEFTOVER.test(name)) {
    return [
      problem(
        "entries",
        `${path}/${name} looks like something left behind, and is executed at every pull`,
        `move it out of ${path}`,
      ),
    ];
  }
  if (isUnseen) return [unseen("entries", `what ${path}/${name} is`, "where it leads")];
  const what = copyOf === undefined ? "another program" : `a copy of ${copyOf}`;
  const found = `${path}/${name} is ${what}, which containerd asks as well: every one must allow a pull`;
  return [warning("entries", found, "see that it is meant to be there")];
}
