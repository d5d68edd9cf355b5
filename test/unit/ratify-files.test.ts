import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { EVIDENCE_TYPE, SIGNATURE_TYPE } from "../../src/core/oci/referrers.ts";
import { readParameters } from "../../src/frontends/ratify/plugin-parameters.ts";

// The files of integrations/ratify, as far as they can be looked at without Ratify and Gatekeeper.

const read = (name: string) => readFileSync(join(import.meta.dirname, "../../integrations/ratify", name), "utf8");
const resources = (name: string) => parseAllDocuments(read(name)).map((one) => one.toJS() as Resource);

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

const verifiers = resources("verifiers.yaml");
const [template, constraint] = ["template.yaml", "constraint.yaml"].flatMap(resources) as [Resource, Resource];

describe("the resources for Ratify", () => {
  it("start the plugin for ATCR's artifact and for attached evidence", () => {
    expect(verifiers.map(({ kind, spec }) => [kind, spec["artifactTypes"]])).toEqual([
      ["Verifier", SIGNATURE_TYPE],
      ["Verifier", EVIDENCE_TYPE],
    ]);
    for (const { spec } of verifiers) {
      const { parameters, ...own } = spec as Record<"parameters", Record<string, unknown>>;
      // What Ratify's controller makes of a resource.
      const config = { ...parameters, ...own, parameters: undefined };
      const { name, type, artifactTypes } = config as Record<string, unknown>;
      expect(readParameters({ ...parameters, name, type, artifactTypes }).settings).toEqual({
        trustPolicyPath: "/etc/atcr-verify/trust-policy.yaml",
      });
    }
  });

  it("name the plugin as the image has it, and as the template demands it", () => {
    const types = verifiers.map(({ spec }) => spec["type"]);
    expect(new Set(types)).toEqual(new Set(["atcr-verify"]));
    expect(read("Containerfile")).toContain("/usr/bin/atcr-verify /.ratify/plugins/atcr-verify\n");
    expect(read("template.yaml")).toContain('report.type == "atcr-verify"\n');
  });

  it("are of versions that Ratify v1 and Gatekeeper serve", () => {
    const versions = [...verifiers, ...resources("store.yaml")].map(({ apiVersion }) => apiVersion);
    expect(new Set(versions)).toEqual(new Set(["config.ratify.deislabs.io/v1beta1"]));
    expect(template.apiVersion).toBe("templates.gatekeeper.sh/v1");
    expect(constraint.apiVersion).toBe("constraints.gatekeeper.sh/v1beta1");
  });

  it("have a template whose name and kind fit its constraint and its package", () => {
    const { crd, targets } = template.spec as unknown as {
      readonly crd: { readonly spec: { readonly names: { readonly kind: string } } };
      readonly targets: readonly { readonly target: string; readonly rego: string }[];
    };
    const { kind } = crd.spec.names;
    expect(constraint.kind).toBe(kind);
    expect(template.metadata.name).toBe(kind.toLowerCase());
    const [only] = targets;
    expect(only?.target).toBe("admission.k8s.gatekeeper.sh");
    expect(only?.rego).toMatch(new RegExp(`^package ${kind.toLowerCase()}\n`));
    // What is not clearly allowed is refused: no rule of it asks whether something is false.
    expect(only?.rego).not.toMatch(/==\s*false|!=\s*true/);
    expect(only?.rego).toContain("not allowed[image]");
  });

  it("are all in the kustomization, besides the patch", () => {
    const { resources: named } = parse(read("kustomization.yaml")) as { readonly resources: readonly string[] };
    expect(named).toEqual(["store.yaml", "verifiers.yaml", "template.yaml", "constraint.yaml"]);
  });

  it("mount what the verifiers read", () => {
    const patch = parse(read("deployment-patch.yaml")) as Resource;
    expect(JSON.stringify(patch)).toContain('"mountPath":"/etc/atcr-verify","readOnly":true');
  });

  it("take each image by what the builder names", () => {
    const from = [...read("Containerfile").matchAll(/^FROM (\S+)/gm)].map(([, image]) =>
      image?.replace(/\$\{(\w+)\}/, "$1"),
    );
    expect(from).toEqual(["RATIFY", "ATCR_VERIFY", "DEBIAN"]);
  });
});
