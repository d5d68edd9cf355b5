import { dirname, join } from "node:path";
import type { PolicyText } from "../../core/policy/policy-file.ts";
import { reject } from "../../core/rejection.ts";
import { listFolder, type OnUntrusted, readPossiblyUntrustedFile } from "../fs/local-file.ts";

const FOLDER = "policy.d";
const ENDING = ".yaml";
/** Names that look like fragments, but would not be read: `x.yml`, `x.YAML`. */
const LOOKS_LIKE_ONE = /\.ya?ml$/i;
/** Most fragments of a policy. Each is opened, and its path checked, in every pull. */
const MAX_FRAGMENTS = 100;

export interface Fragments {
  readonly fragments: readonly PolicyText[];
  /** Paths of other visible files in the folder. */
  readonly unread: readonly string[];
}

/**
 * Reads the fragments of a policy: the files `*.yaml` in the folder policy.d beside it, in the byte order of their
 * names (spec 2.4). Hidden files, and other extensions such as editors and package managers leave behind, are ignored.
 *
 * @throws Rejection policy.invalid
 */
export function readFragments(policyPath: string, onUntrusted: OnUntrusted): Fragments {
  const folder = join(dirname(policyPath), FOLDER);
  const what = "the folder of the policy's fragments";
  const listed = listFolder({ path: folder, code: "policy.invalid", what }, onUntrusted) ?? [];
  const visible = listed.filter((name) => !name.startsWith("."));
  const names = visible.filter((name) => LOOKS_LIKE_ONE.test(name));
  const misnamed = names.find((name) => !name.endsWith(ENDING));
  if (misnamed !== undefined) {
    const advice = `to use it, rename it to *${ENDING}; otherwise give it another extension`;
    reject(
      "policy.invalid",
      `${join(folder, misnamed)} is not read, because its name does not end in ${ENDING}; ${advice}`,
    );
  }
  if (names.length > MAX_FRAGMENTS) {
    reject("policy.invalid", `${folder} has ${names.length} *${ENDING} files; at most ${MAX_FRAGMENTS} are allowed`);
  }
  const fragments = names.toSorted(inByteOrder).map((name) => {
    const path = join(folder, name);
    const text = readPossiblyUntrustedFile(
      { path, code: "policy.invalid", what: "the policy's fragment" },
      onUntrusted,
    );
    return { name: path, text: text ?? reject("policy.invalid", `${path} is a dangling symlink, or was just removed`) };
  });
  const unread = visible.filter((name) => !names.includes(name)).map((name) => join(folder, name));
  return { fragments, unread: unread.toSorted(inByteOrder) };
}

/** Sorts like `LC_ALL=C ls`, in every locale. */
function inByteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
