import { describe, expect, it } from "vitest";
import { kubeconfigDocument } from "../../../../src/platform/kubernetes/kubeconfig-document.ts";
import { codeOf, rejectionOf } from "../../../support/rejection.ts";

const FULL = `
apiVersion: v1
kind: Config
current-context: a
preferences: {}
future-key: [1, 2]
contexts:
- name: a
  context: { cluster: c, user: u, namespace: shop, extensions: [] }
- { name: a, context: { cluster: other } }
clusters:
- name: c
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: QQ==
    certificate-authority: /ignored
    insecure-skip-tls-verify: false
    proxy-url: null
users:
- name: u
  user:
    token: "123"
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: [eks, get-token]
      env: [{ name: AWS_PROFILE, value: p }]
      provideClusterInfo: true
`;

describe("a kubeconfig", () => {
  it("is read with the keys that are used, and without others'", () => {
    const { currentContext, contexts, clusters, users } = kubeconfigDocument(FULL, "k");
    expect(currentContext).toBe("a");
    expect([...contexts]).toEqual([["a", { cluster: "c", user: "u", namespace: "shop" }]]);
    expect(clusters.get("c")).toEqual({
      server: "https://10.0.0.1:6443",
      authority: { data: "QQ==" },
      skipVerify: false,
    });
    expect(users.get("u")).toEqual({
      token: "123",
      exec: {
        apiVersion: "client.authentication.k8s.io/v1",
        command: "aws",
        args: ["eks", "get-token"],
        env: new Map([["AWS_PROFILE", "p"]]),
        provideClusterInfo: true,
      },
    });
  });

  it("may be JSON, or empty", () => {
    expect(kubeconfigDocument('{"kind":"Config","current-context":"x"}', "k").currentContext).toBe("x");
    expect(kubeconfigDocument("", "k").contexts.size).toBe(0);
  });

  it("names what authenticates a user in a way that is not known", () => {
    const of = (user: string) =>
      kubeconfigDocument(`users: [{ name: u, user: ${user} }]`, "k").users.get("u")?.unsupported;
    expect(of("{ auth-provider: { name: gcp } }")).toBe("auth-provider");
    expect(of("{ username: a, password: b }")).toBe("username");
    expect(of("{ as: admin, token: t }")).toBe("as");
    expect(of("{ token: t }")).toBeUndefined();
  });

  it.each([
    ["a key twice", "clusters: []\nclusters: []", "clusters twice"],
    ["a merge key", "users: [{ name: u, user: { <<: { token: t } } }]", "merge key"],
    ["two documents", "a: 1\n---\nb: 1", "second document"],
    ["another kind", "kind: Pod", "the kind Pod"],
    ["a list", "[]", "expected a kubeconfig"],
    ["a list for a text", "current-context: [a]", "expected text after current-context"],
    ["text for a list", "clusters: a", "expected a list"],
    ["an entry without a name", "clusters: [{ cluster: {} }]", "without a name"],
    [
      "a flag that is none",
      "clusters: [{ name: c, cluster: { insecure-skip-tls-verify: yes } }]",
      "expected true or false",
    ],
    ["an exec without a command", "users: [{ name: u, user: { exec: { apiVersion: v } } }]", "exec without command"],
    ["a character that programs read differently", "current-context: a\u202eb", "found"],
    ["no YAML", "a: [", "invalid YAML"],
  ])("is rejected with %s", (_, text, message) => {
    expect(codeOf(() => kubeconfigDocument(text, "k"))).toBe("input.malformed");
    expect(rejectionOf(() => kubeconfigDocument(text, "k")).message).toContain(message);
  });

  it("is rejected with too many entries", () => {
    const entries = Array.from({ length: 10_001 }, () => "{}").join(",");
    expect(rejectionOf(() => kubeconfigDocument(`clusters: [${entries}]`, "k")).message).toContain("10001 entries");
  });
});
