import type { JsonObject } from "../../core/encoding/json.ts";
import { labelsIn, mapsIn, textIn, textsIn } from "./api-object.ts";

/** A LabelSelector (meta/v1): all requirements must hold, so without any it selects everything. */
export type LabelSelector = readonly LabelRequirement[];

export interface LabelRequirement {
  readonly key: string;
  /** `In`, `NotIn`, `Exists` or `DoesNotExist`. */
  readonly operator: string;
  readonly values: readonly string[];
}

/** Reads matchLabels and matchExpressions. */
export function labelSelector(object: JsonObject): LabelSelector {
  return [
    ...[...labelsIn(object, "matchLabels")].map(([key, value]) => ({ key, operator: "In", values: [value] })),
    ...mapsIn(object, "matchExpressions").map((expression) => ({
      key: textIn(expression, "key") ?? "",
      operator: textIn(expression, "operator") ?? "",
      values: textsIn(expression, "values"),
    })),
  ];
}

/** As in Kubernetes, `NotIn` holds where the label is missing. An operator that is not known selects nothing. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = labels.get(key);
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
      default:
        return false;
    }
  });
}

/** As `kubectl` takes it: `a in (b,c), !d`. */
export function selectorText(selector: LabelSelector): string {
  return selector
    .map(({ key, operator, values }) => {
      if (operator === "Exists") return key;
      if (operator === "DoesNotExist") return `!${key}`;
      return `${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`;
    })
    .join(", ");
}
