import { describe, expect, it } from "vitest";
import { checkCoverage, type LabelledNamespace } from "../../../src/doctor/cluster-coverage.ts";
import { type WebhookKind, webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import { configuration, webhook } from "../../support/stand-in-cluster.ts";

const [RULE] = webhook().rules;

function made(changes: object, kind: WebhookKind = "validating", path = "/admit") {
  const [found] = webhooksOf(configuration(webhook({ ...changes }, path)), kind);
  if (found === undefined) throw new Error("there is one");
  return found;
}

const of = (name: string, labels: Readonly<Record<string, string>> = {}): LabelledNamespace => ({
  name,
  labels: new Map(Object.entries({ "kubernetes.io/metadata.name": name, ...labels })),
});
const CLUSTER = [of("default"), of("kube-system"), of("atcr-verify"), of("shop", { team: "a" })];
const selecting = (expression: object, more: object = {}, path?: string) =>
  made({ namespaceSelector: { matchExpressions: [expression] }, ...more }, "validating", path);
const byName = (operator: string, ...values: readonly string[]) => ({
  key: "kubernetes.io/metadata.name",
  operator,
  values,
});
const lines = (webhooks: readonly ReturnType<typeof made>[], name: string, namespaces = CLUSTER) =>
  checkCoverage(webhooks, namespaces)
    .filter((finding) => finding.name === name)
    .map(({ level, found }) => `${level} ${found}`);

/** What no webhook is called for. */
const missing = (webhooks: readonly ReturnType<typeof made>[], namespaces?: readonly LabelledNamespace[]) =>
  lines(webhooks, "cluster-rules", namespaces as typeof CLUSTER).map((line) =>
    line.replace(/^(\w+) .* is called for (\w+ of [^\s:]+)(?: in ([^:]+))?:.*$/, "$1 $2 $3").trim(),
  );
const GOOD: readonly string[] = [];

describe("the rules of webhooks", () => {
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
  ])("lead pods to them: %s", (_, rules) => {
    expect(missing([made({ rules })])).toEqual(GOOD);
    expect(missing([made({ rules })], [])).toEqual(GOOD);
  });

  const [EPHEMERAL, CREATE, UPDATE] = ["UPDATE of pods/ephemeralcontainers", "CREATE of pods", "UPDATE of pods"];
  it.each<[string, readonly string[], readonly object[]]>([
    ["without UPDATE", [UPDATE, EPHEMERAL], [{ ...RULE, operations: ["CREATE"] }]],
    ["without CREATE", [CREATE], [{ ...RULE, operations: ["UPDATE"] }]],
    ["without ephemeral containers", [EPHEMERAL], [{ ...RULE, resources: ["pods"] }]],
    ["of subresources alone", [CREATE, UPDATE], [{ ...RULE, resources: ["pods/*"] }]],
  ])("leave something out: %s", (_, expected, rules) => {
    expect(missing([made({ rules })])).toEqual(expected.map((one) => `problem ${one} default, shop`));
  });

  it.each<[string, readonly object[]]>([
    ["none", []],
    ["of another group", [{ ...RULE, apiGroups: ["apps"] }]],
    ["of another version", [{ ...RULE, apiVersions: ["v2"] }]],
    ["of the cluster's own objects", [{ ...RULE, scope: "Cluster" }]],
  ])("lead nothing to them: %s", (_, rules) => {
    expect(missing([made({ rules })])).toEqual(
      [CREATE, UPDATE, EPHEMERAL].map((one) => `problem ${one} any namespace`),
    );
    expect(lines([made({ rules })], "cluster-namespaces")[0]).toMatch(
      /^warning pods are not verified in default, shop,/,
    );
  });

  it("may be those of several webhooks, in each namespace", () => {
    const workloads = made({ rules: [{ ...RULE, apiGroups: ["apps"], resources: ["deployments"] }] });
    expect(missing([made({}), workloads])).toEqual(GOOD);
    const pods = { rules: [{ ...RULE, resources: ["pods"] }] };
    const ephemeral = { rules: [{ ...RULE, resources: ["pods/ephemeralcontainers"] }] };
    expect(missing([made(pods), made(ephemeral)])).toEqual(GOOD);
    const some = selecting(byName("In", "shop"), ephemeral);
    expect(missing([made(pods), some])).toEqual([`problem ${EPHEMERAL} default`]);
  });

  it("of a mutating webhook only decide what is pinned", () => {
    const rules = [{ ...RULE, resources: ["pods"] }];
    expect(missing([made({}), made({ rules }, "mutating")])).toEqual([...GOOD, `warning ${EPHEMERAL}`]);
  });

  it("for everything are warned of", () => {
    for (const resources of [["*"], ["*/*"]])
      expect(lines([made({}), made({ rules: [{ ...RULE, resources }] })], "cluster-rules")[0]).toMatch(
        /^warning .* everything/,
      );
  });
});

describe("namespaces", () => {
  const found = (...webhooks: readonly ReturnType<typeof made>[]) => lines(webhooks, "cluster-namespaces");

  it("that must start by themselves are left out, and no other", () => {
    expect(found(made({}))).toEqual([
      "ok pods of 2 namespaces are selected: 2 for /admit; not those of kube-system, atcr-verify, which must start while nothing answers",
    ]);
  });

  it("that no webhook selects are a warning, unless another one does", () => {
    const one = selecting(byName("In", "default"));
    const other = selecting(byName("In", "shop"), {}, "/admit/audit");
    expect(found(one)[0]).toMatch(/^warning pods are not verified in shop,/);
    expect(found(one, other).filter((line) => line.startsWith("warning"))).toEqual([]);
    expect(found(one, other).at(-1)).toMatch(
      /^ok pods of 2 namespaces are selected: 1 for \/admit, 1 for \/admit\/audit;/,
    );
  });

  it("that it needs itself are a warning where it is called for them, and refuses where it fails", () => {
    const all = { namespaceSelector: {} };
    expect(found(made(all))[0]).toMatch(/^warning .*: called for pods in kube-system, atcr-verify:/);
    const open = found(made({ ...all, failurePolicy: "Ignore" }));
    expect(open.filter((line) => line.includes("called for"))).toEqual([]);
  });

  it("that are selected by labels of people are shown with these", () => {
    const team = found(selecting({ key: "team", operator: "Exists" }));
    expect(team.join("\n")).toContain("who may label a namespace (team) decides");
  });

  it("are counted where there are many", () => {
    const many = Array.from({ length: 14 }, (_, i) => of(`n${i}`));
    expect(lines([selecting(byName("In", "n0"))], "cluster-namespaces", many)[0]).toContain("n10 and 3 more");
  });
});
