import type { Mistakes } from "../encoding/mistakes.ts";
import { YamlFile, type YamlPath, type YamlProblem } from "../encoding/yaml.ts";
import { openInSpite } from "../encoding/yaml-repair.ts";
import type { Place } from "../rejection.ts";
import type { PolicyLine } from "./policy.ts";
import { isRequirement, POLICY_SHAPE, type PolicyShape } from "./policy-schema.ts";
import { ANYTHING } from "./scope.ts";
import { checkShape } from "./shape.ts";
import { checkWholeShape } from "./shape-mistakes.ts";

/** An unparsed file of a policy. */
export interface PolicyText {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

/** A parsed file of a policy, of the right shape. */
export interface PolicyFile {
  /** In the order in which the files are read, from 0. */
  readonly index: number;
  readonly file: YamlFile;
  readonly shape: PolicyShape;
}

/** A location: the file, and the path in it. */
export interface At extends Pick<YamlProblem, "path" | "isKey"> {
  readonly file: YamlFile;
}

/**
 * Most characters of all files of a policy together. Each pull reads them all: a hundred fragments of the largest size
 * would exceed the deadline.
 */
const MAX_POLICY_TEXT = 1024 * 1024;

const LOGGED =
  "decisions are logged as decisionLog in the configuration says; to let images through and log what would be refused, write action: audit";
/** Hints for keys of ATCR's documents or of other programs' policies. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ["environments", "write a rule for the scope of each environment, with its DIDs under require.trustedDIDs"],
  ["audit", LOGGED],
  ["auditLog", LOGGED],
  ["auditLogging", LOGGED],
  ["logging", LOGGED],
  ["reporting", LOGGED],
  ["defaultAction", "this key is named default here: deny, allow or audit"],
  ["rules", "this key is named policies here"],
]);

/** What to do about an unknown key: one of another program's policy, or a requirement beside `require` instead of below it. */
function hintAt(path: YamlPath): string | undefined {
  const key = String(path.at(-1));
  if (path.length === 1) return HINTS.get(key);
  const isOfRule = path.length === 3 && path[0] === "policies";
  return isOfRule && isRequirement(key) ? `write it under "require" of this rule` : undefined;
}

/**
 * Opens the files of a policy; each has the shape of a complete policy.
 *
 * @throws Rejection policy.invalid
 */
export function openPolicy(texts: readonly [PolicyText, ...PolicyText[]]): readonly [PolicyFile, ...PolicyFile[]] {
  return openFiles(texts, ({ name, text }) => {
    const file = new YamlFile(text, name, "policy.invalid");
    return { file, shape: () => checkShape(file, POLICY_SHAPE, hintAt) };
  });
}

/**
 * Like {@link openPolicy}, but collects the mistakes in the files. Something else is in the place of what is wrong.
 *
 * @throws nothing for a mistake of a file
 */
export function openPolicyInSpite(
  texts: readonly [PolicyText, ...PolicyText[]],
  mistakes: Mistakes,
): readonly [PolicyFile, ...PolicyFile[]] {
  return openFiles(texts, ({ name, text }) => {
    const file = openInSpite(text, name, "policy.invalid", mistakes);
    if (file === undefined) return { file: new YamlFile("", name, "policy.invalid", mistakes), shape: () => EMPTY };
    const shape = () => file.attempt(EMPTY, () => checkWholeShape(file, POLICY_SHAPE, hintAt, substituteAt));
    return { file, shape };
  });
}

const EMPTY: PolicyShape = { version: 1 };

function substituteAt(path: YamlPath): unknown {
  const [first, index, key] = path;
  if (first === "version") return 1;
  if (first !== "policies" || index === undefined) return undefined;
  const rule = { name: `(rule ${Number(index) + 1})`, scope: ANYTHING, action: "audit" } as const;
  if (path.length === 2) return rule;
  return path.length === 3 && Object.hasOwn(rule, key ?? "") ? rule[key as keyof typeof rule] : undefined;
}

interface Opened {
  readonly file: YamlFile;
  readonly shape: () => PolicyShape;
}

function openFiles(
  texts: readonly [PolicyText, ...PolicyText[]],
  openOne: (text: PolicyText) => Opened,
): readonly [PolicyFile, ...PolicyFile[]] {
  let total = 0;
  const open = (text: PolicyText, index: number): PolicyFile => {
    const { file, shape } = openOne(text);
    total += text.text.length;
    file.attempt(undefined, () => {
      const found = `${total} characters in the policy's files up to this one`;
      if (total > MAX_POLICY_TEXT) file.fail({ path: [], found, expected: `${MAX_POLICY_TEXT} at most` });
    });
    return { index, file, shape: shape() };
  };
  const [own, ...fragments] = texts;
  return [open(own, 0), ...fragments.map((text, i) => open(text, i + 1))];
}

export function placeOf({ file, ...at }: At, inside: YamlPath = []): Place {
  return file.placeOf(inside.length === 0 ? at : { path: [...at.path, ...inside] });
}

/** The line of a value, in the form stored in the parsed policy. */
export function policyLine({ index, file }: PolicyFile, path: YamlPath): PolicyLine {
  return [index, file.lineOf({ path })];
}

/** `FILE:LINE`, for a message that refers to another location. */
export function lineOf(at: At): string {
  const { file, line } = placeOf(at);
  return `${file}:${line}`;
}
