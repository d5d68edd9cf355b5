import { describe, expect, it } from "vitest";
import { pathOf, webhooksOf } from "../../../../src/platform/kubernetes/webhook.ts";

describe("a webhook of the API", () => {
  it("has the API's defaults where a field is missing or of another type", () => {
    const [bare] = webhooksOf(
      { metadata: { name: "c" }, webhooks: [{ name: "w", timeoutSeconds: "9" }] },
      "validating",
    );
    expect(bare).toMatchObject({
      configuration: "c",
      failurePolicy: "Fail",
      timeout: 10,
      sideEffects: "Unknown",
      matchPolicy: "Equivalent",
      reinvocationPolicy: "Never",
      rules: [],
      objectSelector: [],
    });
    expect(bare?.service).toBeUndefined();
  });

  it("has its path by its service or its URL", () => {
    const paths = [{ service: { name: "s", path: "/admit" } }, { url: "https://a.test/admit/x?y" }, {}].map(
      (clientConfig) => webhooksOf({ webhooks: [{ name: "w", clientConfig }] }, "mutating").map(pathOf),
    );
    expect(paths).toEqual([["/admit"], ["/admit/x"], [""]]);
  });
});
