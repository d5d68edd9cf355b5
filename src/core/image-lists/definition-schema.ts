import type { ForeignMap, ForeignNode } from "../encoding/foreign-yaml.ts";

/**
 * What a value is on the way to what names no image to run. In the schemas of a CustomResourceDefinition `image` is the name of a
 * property, with its type and description below it; in the status of a Pod it is what ran. Only what a cluster certainly takes for
 * such a resource is passed over: a whole document, or an item of a List.
 */
export type Role =
  | "other"
  | "list"
  | "items"
  | "definition"
  | "spec"
  | "versions"
  | "version"
  | "validation"
  | "schema"
  | "pod"
  | "status";

/** By the role of a map: what stands under which key. */
const BELOW: Readonly<Partial<Record<Role, Readonly<Record<string, Role>>>>> = {
  list: { items: "items" },
  definition: { spec: "spec" },
  // `validation` is that of apiextensions.k8s.io/v1beta1.
  spec: { versions: "versions", validation: "validation" },
  version: { schema: "validation" },
  validation: { openAPIV3Schema: "schema" },
  pod: { status: "status" },
};

export function roleOfRoot(node: ForeignNode): Role {
  if (node.kind !== "map") return "other";
  return isOf(node, /^v1$/, "List") ? "list" : roleOfResource(node);
}

export function roleOfItem(role: Role, item: ForeignNode): Role {
  if (role === "items") return roleOfResource(item);
  return role === "versions" ? "version" : "other";
}

export function roleOfValue(role: Role, key: string): Role {
  const below = BELOW[role];
  return below !== undefined && Object.hasOwn(below, key) ? (below[key] ?? "other") : "other";
}

function roleOfResource(node: ForeignNode): Role {
  if (node.kind !== "map") return "other";
  if (isOf(node, /^v1$/, "Pod")) return "pod";
  return isOf(node, /^apiextensions\.k8s\.io\/v1/, "CustomResourceDefinition") ? "definition" : "other";
}

/** Whether every reader sees this kind of resource: both keys are there once, as plain text, and none is merged in. */
function isOf({ entries }: ForeignMap, version: RegExp, kind: string): boolean {
  const textOf = (name: string): string | undefined => {
    const found = entries.filter(({ key }) => key.kind === "scalar" && key.text === name);
    const [one] = found;
    if (found.length !== 1 || one?.key.tag !== undefined) return undefined;
    return one?.value.kind === "scalar" && one.value.tag === undefined ? one.value.text : undefined;
  };
  const hasMerge = entries.some(({ key }) => key.kind !== "scalar" || key.text === "<<" || key.tag !== undefined);
  return !hasMerge && textOf("kind") === kind && version.test(textOf("apiVersion") ?? "");
}
