import { describe, expect, it } from "vitest";
import { checkNamespaces, checkRules, type LabelledNamespace } from "../../../src/doctor/cluster-coverage.ts";
import { type WebhookKind, webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import { configuration, webhook } from "../../support/stand-in-cluster.ts";

const [RULE] = webhook().rules;

function made(changes: object, kind: WebhookKind = "validating") {
  const [found] = webhooksOf(configuration(webhook({ ...changes })), kind);
  if (found === undefined) throw new Error("there is one");
  return found;
}

function ofRules(rules: readonly object[], kind?: WebhookKind): readonly string[] {
  return checkRules(made({ rules }, kind)).map(({ level, found }) =>
    `${level} ${/for (\w+ of [^\s:]+)/.exec(found)?.[1] ?? ""}`.trim(),
  );
}

describe("the rules of a webhook", () => {
  it.each<[string, readonly object[]]>([
    ["as shipped", [RULE ?? {}]],
    ["all subresources of pods", [{ ...RULE, resources: ["pods", "pods/*"] }]],
    ["ephemeral containers of all kinds", [{ ...RULE, resources: ["pods", "*/ephemeralcontainers"] }]],
    ["all operations, groups and versions", [{ ...RULE, operations: ["*"], apiGroups: ["*"], apiVersions: ["*"] }]],
    [
      "without a scope, as two rules",
      [
        { ...RULE, scope: undefined, resources: ["pods"] },
        { ...RULE, operations: ["UPDATE"], resources: ["pods/ephemeralcontainers"] },
      ],
    ],
  ])("lead pods to it: %s", (_, rules) => {
    expect(ofRules(rules)).toEqual(["ok"]);
  });

  const ALL = ["problem CREATE of pods", "problem UPDATE of pods", "problem UPDATE of pods/ephemeralcontainers"];
  it.each<[string, readonly string[], readonly object[]]>([
    ["none", ALL, []],
    ["of another group", ALL, [{ ...RULE, apiGroups: ["apps"] }]],
    ["of another version", ALL, [{ ...RULE, apiVersions: ["v2"] }]],
    ["of the cluster's own objects", ALL, [{ ...RULE, scope: "Cluster" }]],
    ["without UPDATE", ALL.slice(1), [{ ...RULE, operations: ["CREATE"] }]],
    ["without CREATE", ALL.slice(0, 1), [{ ...RULE, operations: ["UPDATE"] }]],
    ["without ephemeral containers", ALL.slice(2), [{ ...RULE, resources: ["pods"] }]],
    ["of subresources alone", ALL.slice(0, 2), [{ ...RULE, resources: ["pods/*"] }]],
  ])("leave something out: %s", (_, missing, rules) => {
    expect(ofRules(rules)).toEqual(missing);
  });

  it("of a mutating webhook only decide what is pinned", () => {
    expect(ofRules([{ ...RULE, resources: ["pods"] }], "mutating")).toEqual([
      "warning UPDATE of pods/ephemeralcontainers",
    ]);
  });

  it("for everything are warned of", () => {
    for (const resources of [["*"], ["*/*"]]) expect(ofRules([{ ...RULE, resources }])).toContain("warning");
  });
});

const of = (name: string, labels: Readonly<Record<string, string>> = {}): LabelledNamespace => ({
  name,
  labels: new Map(Object.entries({ "kubernetes.io/metadata.name": name, ...labels })),
});
const ALL = [of("default"), of("kube-system"), of("atcr-verify"), of("shop", { team: "a" })];
const selecting = (...matchExpressions: readonly object[]) => made({ namespaceSelector: { matchExpressions } });
const byName = (operator: string, ...values: readonly string[]) => ({
  key: "kubernetes.io/metadata.name",
  operator,
  values,
});

describe("namespaces", () => {
  const lines = (...webhooks: readonly ReturnType<typeof made>[]) =>
    checkNamespaces(webhooks, ALL).map(({ level, found }) => `${level} ${found}`);

  it("that must start by themselves are left out, and no other", () => {
    const found = lines(made({}));
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^note pods are not verified in kube-system, atcr-verify,/);
    expect(found[1]).toBe("ok pods of 2 namespaces are verified");
  });

  it("that no webhook selects are a warning, unless another one does", () => {
    const one = selecting(byName("In", "default"));
    const other = selecting(byName("In", "shop"));
    expect(lines(one)[0]).toMatch(/^warning pods are not verified in shop,/);
    expect(lines(one, other).filter((line) => line.startsWith("warning"))).toEqual([]);
  });

  it("that it needs itself are a warning where it is called for them", () => {
    const blocked = lines(made({ namespaceSelector: {} }));
    expect(blocked[0]).toMatch(/^warning .* is called for pods in kube-system, atcr-verify:/);
    expect(
      lines(made({ namespaceSelector: {}, failurePolicy: "Ignore" })).filter((line) => line.includes("is called")),
    ).toEqual([]);
  });

  it("that are selected by labels of people are noted", () => {
    const team = { key: "team", operator: "Exists" };
    expect(lines(selecting(team)).join("\n")).toContain("by team: whether pods are verified is up to those");
  });

  it("are counted where there are many", () => {
    const many = Array.from({ length: 14 }, (_, i) => of(`n${i}`));
    const [found] = checkNamespaces([selecting(byName("In", "n0"))], many);
    expect(found?.found).toContain("n10 and 3 more");
  });
});
