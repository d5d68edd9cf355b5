import { describe, expect, it } from "vitest";
import { checkOwnWebhooks, whyOwn } from "../../../src/doctor/cluster-own-webhooks.ts";
import { type WebhookKind, webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import { webhook } from "../../support/stand-in-cluster.ts";

const STRANGER = { namespace: "ops", name: "other", path: "/admit", port: 443 };

function only(
  changes: object,
  { name = "other", labels = {}, kind = "validating" as WebhookKind, path = "/admit" } = {},
) {
  const [found] = webhooksOf({ metadata: { name, labels }, webhooks: [webhook({ ...changes }, path)] }, kind);
  if (found === undefined) throw new Error("there is one");
  return found;
}

const named = { name: "x.example", clientConfig: { service: STRANGER } };

describe("a webhook leads to this program", () => {
  it.each([
    ["by the label", only(named, { labels: { "app.kubernetes.io/name": "atcr-verify" } })],
    [
      "by the name of its service, a/atcr-verify-x",
      only({ ...named, clientConfig: { service: { namespace: "a", name: "atcr-verify-x" } } }),
    ],
    ["by its name", only({ ...named, name: "admit.atcr-verify.example" })],
    ["by its name", only(named, { name: "atcr-verify" })],
    ["by the host of its URL", only({ ...named, clientConfig: { url: "https://atcr-verify.example/admit" } })],
  ])("%s", (how, found) => {
    expect(whyOwn(found)).toContain(how);
  });

  it("not by its path alone, of which a note says how to name it", () => {
    const found = only(named);
    expect(whyOwn(found)).toBeUndefined();
    const { own, findings } = checkOwnWebhooks([found], undefined);
    expect(own).toEqual([]);
    expect(findings).toMatchObject([
      { level: "problem" },
      { level: "note", found: expect.stringContaining("app.kubernetes.io/name") },
    ]);
  });
});

describe("its path", () => {
  it.each<[string, WebhookKind, string]>([
    ["/admit", "validating", "ok"],
    ["/admit/staging", "validating", "ok"],
    ["/mutate", "validating", "problem"],
    ["/admit/a/b", "validating", "problem"],
    ["", "validating", "problem"],
    ["/mutate", "mutating", "ok"],
    ["/mutate/staging", "mutating", "ok"],
    ["/admit", "mutating", "problem"],
  ])("%j of a %s webhook: %s", (path, kind, level) => {
    const { findings } = checkOwnWebhooks([only({}, { kind, path })], "Gatekeeper");
    expect(findings.at(-1)).toMatchObject({ name: "cluster-webhook", level });
  });
});

describe("no validating webhook", () => {
  it("is a problem, a mutating one or not, unless another gate asks this program", () => {
    const mutating = only({}, { kind: "mutating", path: "/mutate" });
    expect(checkOwnWebhooks([], undefined).findings).toMatchObject([{ level: "problem" }]);
    expect(checkOwnWebhooks([mutating], undefined).findings).toMatchObject([{ level: "problem" }, { level: "ok" }]);
    expect(checkOwnWebhooks([], "Kyverno").findings).toMatchObject([{ level: "note" }]);
  });
});
