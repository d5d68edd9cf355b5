import { type Did, isDid } from "../atproto/syntax.ts";
import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import { type ImageReference, normaliseReference } from "../oci/reference.ts";
import * as shape from "../policy/shape.ts";
import { type Place, Rejection } from "../rejection.ts";
import { type Explanation, trustedBy } from "./explain.ts";

const image = "an image name such as atcr.io/alice.example.com/app:v1";

/** The shape of a file of expectations (docs/reference/cli.md). */
const TEST_SHAPE = shape.keys(
  {
    version: shape.oneOf([1, "1.0"], "1.0"),
    policy: shape.optional(shape.text("the path of a trust policy, relative to this file")),
    cases: shape.nonEmptyList(
      shape.keys(
        {
          image: shape.text(image),
          expect: shape.oneOf(["enforce", "audit", "allow", "deny"], "enforce, audit, allow or deny"),
          rule: shape.optional(shape.text("the name of a rule, default, digests.deny or digests.allow")),
          signers: shape.optional(shape.list(shape.text("a DID"), "a list of DIDs")),
        },
        "a case: a map with image, expect, rule and signers",
      ),
      "a list of cases",
    ),
  },
  "a test of a policy: a map with version, policy and cases",
);

/** What an administrator expects of a policy. */
export interface PolicyTest {
  /** As written: relative to the file's folder. */
  readonly policy?: string;
  readonly cases: readonly PolicyTestCase[];
}

export interface PolicyTestCase {
  /** As written. */
  readonly image: string;
  readonly name: ImageReference;
  readonly expect: Explanation["action"];
  /** What must decide: the name of a rule, `default`, `digests.deny` or `digests.allow`. */
  readonly rule?: string;
  /** Exactly these DIDs must be trusted; a revoked signer is not. */
  readonly signers?: readonly Did[];
  readonly place: Place;
}

/**
 * Reads a file of expectations.
 *
 * @throws Rejection input.malformed
 */
export function readPolicyTest(text: string, fileName: string): PolicyTest {
  const file = new YamlFile(text, fileName, "input.malformed");
  const { policy, cases } = shape.checkShape(file, TEST_SHAPE);
  if (policy === "") file.fail({ path: ["policy"], expected: "the path of a trust policy" });
  return {
    ...(policy === undefined ? {} : { policy }),
    cases: cases.map(({ rule, signers, ...one }, i) => ({
      ...one,
      name: readImage(file, one.image, ["cases", i, "image"]),
      ...(rule === undefined ? {} : { rule }),
      ...(signers === undefined ? {} : { signers: readSigners(file, signers, ["cases", i, "signers"]) }),
      place: file.placeOf({ path: ["cases", i] }),
    })),
  };
}

/** @returns each difference as a sentence; empty if the case holds */
export function failuresOf({ expect, rule, signers }: PolicyTestCase, found: Explanation): readonly string[] {
  const failures: string[] = [];
  if (found.action !== expect) failures.push(`found ${found.action}, expected ${expect}`);
  const decided = found.rule ?? found.decidedBy;
  if (rule !== undefined && rule !== decided) failures.push(`found ${decidedBy(found)}, expected rule "${rule}"`);
  if (signers !== undefined) {
    const trusted = trustedBy(found);
    const surplus = trusted.filter((did) => !signers.includes(did));
    const absent = signers.filter((did) => !trusted.includes(did));
    if (surplus.length > 0) failures.push(`trusted, but not expected: ${surplus.join(", ")}`);
    if (absent.length > 0) failures.push(`expected, but not trusted: ${absent.join(", ")}`);
  }
  return failures;
}

/** What decided, as text for people. */
export function decidedBy({ decidedBy: by, rule }: Explanation): string {
  switch (by) {
    case "rule":
      return `rule "${rule ?? ""}"`;
    case "default":
      return "the default";
    case "digests.deny":
    case "digests.allow":
      return `the list ${by}`;
  }
}

function readImage(file: YamlFile, text: string, path: YamlPath): ImageReference {
  try {
    return normaliseReference(text);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return file.fail({ path, expected: image, advice: error.message });
  }
}

function readSigners(file: YamlFile, texts: readonly string[], path: YamlPath): readonly Did[] {
  return texts.map((text, i) => {
    if (!isDid(text)) file.fail({ path: [...path, i], expected: "a DID in canonical form" });
    return text;
  });
}
