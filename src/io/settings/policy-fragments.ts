import { dirname, join } from "node:path";
import type { PolicyText } from "../../core/policy/policy-file.ts";
import { reject } from "../../core/rejection.ts";
import { type Distrust, listFolder, readDistrustedFile } from "../fs/local-file.ts";

const FOLDER = "policy.d";
const ENDING = ".yaml";
/** What people take for a fragment and would not be read: `x.yml`, `x.YAML`. */
const LOOKS_LIKE_ONE = /\.ya?ml$/i;
/** Most fragments of a policy. Each is opened and its way looked at for each pull. */
const MAX_FRAGMENTS = 100;

export interface Fragments {
  readonly fragments: readonly PolicyText[];
  /** Paths of what else lies there in plain sight. */
  readonly unread: readonly string[];
}

/**
 * Reads the fragments of a policy: the files `*.yaml` in the folder policy.d beside it, in the byte
 * order of their names (spec 2.4). A name that begins with a dot is not looked at, nor is one with
 * another ending, such as what editors and package managers leave behind.
 *
 * @throws Rejection policy.invalid
 */
export function readFragments(policyPath: string, distrust: Distrust): Fragments {
  const folder = join(dirname(policyPath), FOLDER);
  const what = "the folder of the policy's fragments";
  const listed = listFolder({ path: folder, code: "policy.invalid", what }, distrust) ?? [];
  const visible = listed.filter((name) => !name.startsWith("."));
  const names = visible.filter((name) => LOOKS_LIKE_ONE.test(name));
  const misnamed = names.find((name) => !name.endsWith(ENDING));
  if (misnamed !== undefined) {
    const advice = `name it *${ENDING} if it is to count, otherwise give it another ending`;
    reject(
      "policy.invalid",
      `${join(folder, misnamed)} would not be read, expected names that end in ${ENDING}; ${advice}`,
    );
  }
  if (names.length > MAX_FRAGMENTS) {
    reject("policy.invalid", `${folder} has ${names.length} files *${ENDING}, at most ${MAX_FRAGMENTS} are read`);
  }
  const fragments = names.toSorted(inByteOrder).map((name) => {
    const path = join(folder, name);
    const text = readDistrustedFile({ path, code: "policy.invalid", what: "the policy's fragment" }, distrust);
    return { name: path, text: text ?? reject("policy.invalid", `${path} is listed in its folder and leads nowhere`) };
  });
  const unread = visible.filter((name) => !names.includes(name)).map((name) => join(folder, name));
  return { fragments, unread: unread.toSorted(inByteOrder) };
}

/** As `LC_ALL=C ls` sorts, whatever the language of this node. */
function inByteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
