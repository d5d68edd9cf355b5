/**
 * Plugin for Stryker: leaves alone what is written for people. Tests assert rejections by code, so a
 * change of their texts is nobody's business.
 *
 *   - the arguments of `reject` and `malformed` that are no code, and the paths that fields of requests are read with
 *   - a text with a space in it: field names, types and codes have none
 */
interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly quasis?: readonly { readonly value: { readonly raw: string } }[];
  readonly callee?: { readonly name?: string };
}

/** What Babel calls a path: a node and where it stands. */
interface Path {
  readonly node: Node;
  readonly parent?: Node | null;
  readonly listKey?: string;
  readonly key: string | number | null;
}

/** How many arguments of these functions come before those for people. */
const ARGUMENTS_BEFORE_TEXT: Readonly<Record<string, number>> = {
  reject: 1,
  malformed: 0,
  wrong: 0,
  checkType: 3,
  flagIn: 2,
  namespaceIn: 1,
  objectIn: 2,
  objectsIn: 2,
  textIn: 2,
  textsIn: 2,
};

function shouldIgnore({ node, parent, listKey, key }: Path): string | undefined {
  const before = listKey === "arguments" ? ARGUMENTS_BEFORE_TEXT[parent?.callee?.name ?? ""] : undefined;
  const isText =
    (node.type === "StringLiteral" && String(node.value).includes(" ")) ||
    node.quasis?.some(({ value }) => value.raw.includes(" ")) === true;
  return isText || (before !== undefined && Number(key) >= before) ? "text for people" : undefined;
}

export const strykerPlugins = [{ kind: "Ignore", name: "texts", value: { shouldIgnore } }];
