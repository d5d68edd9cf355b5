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
  it("have no finding as they are shipped, with the API's own defaults too", () => {
    const defaults = { failurePolicy: undefined, timeoutSeconds: undefined, matchPolicy: undefined };
    for (const kind of ["validating", "mutating"] as const) expect(levels({}, kind)).toEqual([]);
    expect(levels(defaults)).toEqual([]);
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
      { level: "note", name: "cluster-failure-policy", found: expect.stringContaining("/admit/audit") },
    ]);
  });

  it("may fail open where no pod is admitted by that: /admit refuses tags, and workloads make pods", () => {
    expect(levels({ failurePolicy: "Ignore" }, "mutating")).toEqual([]);
    const rules = [{ ...webhook().rules[0], apiGroups: ["apps"], resources: ["deployments"] }];
    expect(levels({ failurePolicy: "Ignore", rules })).toEqual([]);
  });

  it.each([
    [5, 8000, "set timeoutSeconds to 10"],
    [5, 60_000, "lower `deadline` of the server to 28s, and set timeoutSeconds to 30"],
    [30, 30_000, "lower `deadline` of the server to 28s"],
    [2, 60_000, "set timeoutSeconds to 30"],
  ])("advise what the API allows: timeoutSeconds %d, deadline %d ms", (timeoutSeconds, deadline, advice) => {
    const [found] = webhooksOf(configuration(webhook({ timeoutSeconds })), "validating");
    expect(found && checkWebhookSettings(found, deadline)).toMatchObject([{ name: "cluster-timeout", advice }]);
  });
});

describe("the matchConditions of a webhook", () => {
  const shown = (...conditions: readonly object[]) =>
    webhooksOf(configuration(webhook({ matchConditions: conditions })), "validating").flatMap(showConditions);

  it("are shown on one line, long ones by their beginning", () => {
    const short = { name: "short", expression: "!request.userInfo.groups.\n exists(g, g == 'x')" };
    const long = { name: "long", expression: "object != null && ".repeat(20) };
    const [note, ...others] = shown(short, long);
    expect(others).toEqual([]);
    expect(note).toMatchObject({ level: "note", name: "cluster-match-conditions" });
    expect(note?.found).toContain("hold: short (!request.userInfo.groups. exists(g, g == 'x')), long (object != null");
    expect(note?.found).toMatch(/\.\.\.\)$/);
  });

  it("have no finding where there are none", () => {
    expect(shown()).toEqual([]);
  });
});
