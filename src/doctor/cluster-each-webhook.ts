import type { Webhook } from "../platform/kubernetes/webhook.ts";
import type { CheckResult } from "./check.ts";

/** Names that one finding lists. */
const SHOWN = 10;

/**
 * Checks each webhook, and merges findings that say the same, as a registration has several webhooks that are set up alike.
 *
 * @param check says what it found without the webhook's name, which is put before it
 */
export function ofEach(
  webhooks: readonly Webhook[],
  check: (webhook: Webhook) => readonly CheckResult[],
): readonly CheckResult[] {
  const areOfOne = new Set(webhooks.map(({ configuration }) => configuration)).size === 1;
  const merged = new Map<string, { readonly result: CheckResult; readonly names: Set<string> }>();
  for (const webhook of webhooks) {
    for (const result of check(webhook)) {
      const { level, name, found, advice } = result;
      const key = JSON.stringify([level, name, found, advice]);
      const group = merged.get(key) ?? { result, names: new Set() };
      merged.set(key, group);
      group.names.add(areOfOne ? webhook.name : `${webhook.name} (of ${webhook.configuration})`);
    }
  }
  return [...merged.values()].map(({ result, names }) => ({
    ...result,
    found: `${listed([...names])}: ${result.found}`,
  }));
}

/** As many names as one finding lists, and how many more there are. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(", ");
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}
