import { describe, expect, it } from "vitest";
import { checkWebhookSettings, showConditions } from "../../../src/doctor/cluster-settings.ts";
import { type WebhookKind, webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import { configuration, webhook } from "../../support/stand-in-cluster.ts";

function levels(changes: object, kind: WebhookKind = "validating", deadline = 8000): readonly string[] {
  const [found] = webhooksOf(configuration(webhook({ ...changes })), kind);
  return found === undefined ? [] : checkWebhookSettings(found, deadline).map(({ level, name }) => `${level} ${name}`);
}

const SELECTOR = { matchLabels: { a: "b" } };

describe("the settings of a webhook", () => {
  it("are good as they are shipped, with the API's own defaults too", () => {
    const defaults = { failurePolicy: undefined, timeoutSeconds: undefined, matchPolicy: undefined };
    for (const kind of ["validating", "mutating"] as const) expect(levels({}, kind)).toEqual(["ok cluster-settings"]);
    expect(levels(defaults)).toEqual(["ok cluster-settings"]);
  });

  it.each<[string, object, WebhookKind]>([
    ["problem cluster-failure-policy", { failurePolicy: "Ignore" }, "validating"],
    ["problem cluster-timeout", { timeoutSeconds: 2 }, "validating"],
    ["problem cluster-timeout", { timeoutSeconds: 1 }, "mutating"],
    ["warning cluster-timeout", { timeoutSeconds: 8 }, "validating"],
    ["problem cluster-review-versions", { admissionReviewVersions: ["v1beta1", "v1"] }, "validating"],
    ["problem cluster-review-versions", { admissionReviewVersions: ["v1beta1"] }, "validating"],
    ["warning cluster-review-versions", { admissionReviewVersions: ["v1", "v1beta1"] }, "validating"],
    ["warning cluster-side-effects", { sideEffects: "NoneOnDryRun" }, "validating"],
    ["problem cluster-object-selector", { objectSelector: SELECTOR }, "validating"],
    ["warning cluster-object-selector", { objectSelector: SELECTOR }, "mutating"],
    ["warning cluster-match-policy", { matchPolicy: "Exact" }, "validating"],
    ["warning cluster-reinvocation", { reinvocationPolicy: "Never" }, "mutating"],
  ])("%s", (finding, changes, kind) => {
    expect(levels(changes, kind)).toEqual([finding]);
  });

  it("may fail open where the policy is another one, which may only audit", () => {
    const [found] = webhooksOf(configuration(webhook({ failurePolicy: "Ignore" }, "/admit/audit")), "validating");
    expect(found && checkWebhookSettings(found, 8000)).toMatchObject([
      { level: "ok", name: "cluster-settings" },
      { level: "note", name: "cluster-failure-policy", found: expect.stringContaining("/admit/audit") },
    ]);
  });

  it("are noted where nothing is wrong, but a person should see it", () => {
    expect(levels({ failurePolicy: "Ignore" }, "mutating")).toEqual([
      "ok cluster-settings",
      "note cluster-failure-policy",
    ]);
  });

  it("advise a timeout that is above the deadline, and no more than the API allows", () => {
    const advice = (deadline: number) => {
      const [found] = webhooksOf(configuration(webhook({ timeoutSeconds: 5 })), "validating");
      return found && checkWebhookSettings(found, deadline)[0]?.advice;
    };
    expect(advice(8000)).toBe("set timeoutSeconds to 10");
    expect(advice(60_000)).toBe("set timeoutSeconds to 30");
  });
});

describe("the matchConditions of webhooks", () => {
  const called = (kind: WebhookKind, ...conditions: readonly object[]) =>
    webhooksOf(configuration(webhook({ matchConditions: conditions })), kind);

  it("are shown once for all webhooks that have the same one, on one line", () => {
    const own = { name: "not-nodes", expression: "!request.userInfo.groups.\n exists(g, g == 'x')" };
    const same = { ...own, expression: own.expression.replaceAll("\n", "") };
    const other = { ...own, expression: "true" };
    const found = showConditions([...called("validating", own, other), ...called("mutating", same)]);
    expect(found).toMatchObject([
      { level: "note", name: "cluster-match-conditions", found: expect.stringMatching(/validating.*, .*mutating/) },
      { level: "note", found: expect.stringContaining("not-nodes holds: true") },
    ]);
    expect(found[0]?.found).toContain("not-nodes holds: !request.userInfo.groups. exists(g, g == 'x')");
    expect(found[1]?.found).not.toContain("mutating");
  });

  it("have no finding where there are none", () => {
    expect(showConditions(called("validating"))).toEqual([]);
  });
});
