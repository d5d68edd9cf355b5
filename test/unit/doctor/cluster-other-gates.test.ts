import { describe, expect, it } from "vitest";
import {
  checkGatekeeper,
  checkKyverno,
  ownKyvernoPolicies,
  ownProviders,
} from "../../../src/doctor/cluster-other-gates.ts";
import { webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import { CA_BUNDLE } from "../../support/stand-in-cluster.ts";

const NOW = Date.now();

const provider = (changes: object = {}, name = "atcr-verify") => ({
  metadata: { name },
  spec: { url: "https://atcr-verify.atcr-verify/gatekeeper/verify", timeout: 2, caBundle: CA_BUNDLE, ...changes },
});

const registered = (changes: object, name: string, service = "gatekeeper-webhook-service") =>
  webhooksOf(
    { metadata: { name: "other" }, webhooks: [{ name, clientConfig: { service: { name: service } }, ...changes }] },
    "validating",
  );
const gatekeeper = (changes: object = {}) =>
  registered({ failurePolicy: "Fail", timeoutSeconds: 5, ...changes }, "validation.gatekeeper.sh");

describe("Gatekeeper", () => {
  it("is not looked at without a provider of this program", () => {
    const foreign = provider({ url: "https://cosign.ops/validate" }, "cosign");
    expect(ownProviders([foreign, provider({}, "x"), provider({ url: "https://x/verify" })])).toHaveLength(2);
    expect(checkGatekeeper([], gatekeeper({ failurePolicy: "Ignore" }), NOW)).toEqual([]);
  });

  it.each<[string, object, object, readonly string[]]>([
    ["as documented", {}, {}, ["ok cluster-authority", "ok cluster-gatekeeper", "ok cluster-gatekeeper"]],
    [
      "fails open",
      {},
      { failurePolicy: "Ignore" },
      ["ok cluster-authority", "ok cluster-gatekeeper", "problem cluster-gatekeeper"],
    ],
    [
      "has no time left",
      {},
      { timeoutSeconds: 2 },
      ["ok cluster-authority", "ok cluster-gatekeeper", "warning cluster-gatekeeper"],
    ],
    [
      "has a provider without a timeout",
      { timeout: 0 },
      {},
      ["ok cluster-authority", "problem cluster-gatekeeper", "ok cluster-gatekeeper"],
    ],
    [
      "has a provider without a caBundle",
      { caBundle: "" },
      {},
      ["warning cluster-authority", "ok cluster-gatekeeper", "ok cluster-gatekeeper"],
    ],
  ])("%s", (_, spec, webhook, expected) => {
    const found = checkGatekeeper([provider(spec)], gatekeeper(webhook), NOW);
    expect(found.map(({ level, name }) => `${level} ${name}`)).toEqual(expected);
  });

  it("is a problem without its validating webhook", () => {
    expect(checkGatekeeper([provider()], [], NOW).at(-1)).toMatchObject({ level: "problem" });
  });
});

const policy = (changes: object = {}, name = "require-signed") => ({
  metadata: { name },
  spec: { variables: [{ expression: 'http.Post("https://atcr-verify.atcr-verify.svc/v1/verify", {})' }], ...changes },
});

describe("Kyverno", () => {
  const webhooks = registered({}, "validate.kyverno.svc-fail", "kyverno-svc");

  it("has policies that ask this program, by its path and its name", () => {
    const elsewhere = policy({ variables: [{ expression: 'http.Post("https://x/v1/verify", {})' }] });
    const named = { ...elsewhere, metadata: { name: "atcr-verify-images" } };
    expect(ownKyvernoPolicies([policy(), elsewhere, named, policy({ variables: [] })])).toEqual([policy(), named]);
  });

  it.each<[string, object, readonly string[]]>([
    ["as documented", { failurePolicy: "Fail", validationActions: ["Deny"] }, ["ok"]],
    ["with the defaults", {}, ["ok"]],
    ["that fails open", { failurePolicy: "Ignore" }, ["problem"]],
    ["that fails open, of the old kind", { webhookConfiguration: { failurePolicy: "Ignore" } }, ["problem"]],
    ["that audits", { validationActions: ["Audit"] }, ["warning"]],
    ["that audits, of the old kind", { validationFailureAction: "Audit" }, ["warning"]],
    ["that audits and denies", { validationActions: ["Audit", "Deny"] }, ["ok"]],
  ])("has one %s", (_, spec, levels) => {
    expect(checkKyverno([policy(spec)], webhooks).map(({ level }) => level)).toEqual(levels);
  });

  it("is a problem without its webhook, and nothing without such a policy", () => {
    expect(checkKyverno([policy()], [])[0]).toMatchObject({ level: "problem" });
    expect(checkKyverno([], [])).toEqual([]);
  });
});
