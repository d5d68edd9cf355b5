import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepting, auditing, TestNode } from "../support/binary.ts";
import { faultsOf, faultsOfText } from "../support/result-schema.ts";
import { INDEX_TYPE } from "../support/stand-in-registry.ts";

// The JSON of the real program, in each kind of result, against its shape: no key is missing, and none is there that the shape
// and so the published JSON Schema do not have. What is printed without a policy is in inspect.test.ts.

const ABSENT = `sha256:${"ab".repeat(32)}`;
const PLATFORMS = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64", variant: "v8" },
];

let node: TestNode;
let signed: string;
const base = () => `${node.registry.authority}/alice/app`;

/** An index of two images. */
function index(tag: string) {
  const images = PLATFORMS.map((platform) => ({
    ...node.registry.pushImage("alice/app", `${tag} ${platform.architecture}`),
    platform,
  }));
  return { images, whole: node.registry.pushIndex("alice/app", images, tag) };
}

beforeAll(async () => {
  node = await TestNode.start();
  const { digest } = node.registry.pushImage("alice/app", "signed", "v1");
  signed = digest;
  await node.signer.sign(digest, "app", node.begun + 1000);
  node.registry.pushImage("alice/app", "unsigned", "v2");
  const { whole } = index("signed-index");
  await node.signer.sign(whole.digest, "app", node.begun + 2000, { mediaType: INDEX_TYPE });
  const { images } = index("unsigned-index");
  await node.signer.sign(images[1]?.digest ?? ABSENT, "app", node.begun + 3000);
  node.policy(accepting(node.signer.did));
  node.write(
    "deploy.yaml",
    `image: ${base()}:v1\nother:\n  image: "\${VARIABLE}"\nmore: { image: { repository: ${base()}, tag: v2 } }\n`,
  );
  node.policy(auditing(node.signer.did), "audit.yaml");
  node.policy(`version: 1\npolicies: [{name: free, scope: "${base()}", action: allow}]\n`, "free.yaml");
  node.policy("version: 1\npolicies: [{name: free, scope: '**/*', action: no}]\n", "wrong.yaml");
  const saved = await node.verify([`${base()}:v1`, "--save-evidence", `${node.folder}/saved.bundle`]);
  expect(saved.code).toBe(0);
});
afterAll(() => node.stop());

/** Arguments, with `:TAG` and `@DIGEST` for images and `FILE.yaml` for files of the node. */
const CASES: Readonly<Record<string, readonly [status: number, keys: readonly string[], ...args: readonly string[]]>> =
  {
    allow: [0, ["signature", "resolved", "policy", "cache", "ms", "requests"], ":v1"],
    "allow with each request": [0, ["exchanges"], ":v1", "--verbose"],
    deny: [1, ["error", "rule", "ruleFile", "ruleLine"], ":v2"],
    inconclusive: [2, ["error"], ":nosuch"],
    "a name that cannot be read": [3, ["error"], "Registry.example/a:v1"],
    "a mistake in a policy": [3, ["file", "line", "column"], ":v1", "--policy", "wrong.yaml"],
    "no image": [3, ["results", "found", "code"]],
    "a signer of the command line": [0, ["signers"], ":v1", "--signer", "SIGNER"],
    "an audited image": [1, ["would"], ":v2", "--policy", "audit.yaml"],
    "an exempt image": [0, ["allowed"], ":v2", "--policy", "free.yaml"],
    "the image of a platform": [0, ["platformImage"], ":signed-index", "--platform", "linux/amd64"],
    "an unsigned index with a signed image": [1, ["signedImages"], ":unsigned-index"],
    "several images": [1, ["results"], ":v1", ":v2"],
    "several images, of which one is no name": [3, ["results"], ":v1", ":v2", ":signed-index", "NGINX:v1:v2"],
    "images of a file": [3, ["results", "found"], "-f", "deploy.yaml"],
    "a file that is not there": [3, ["code"], "-f", "absent.yaml"],
    "a bundle, offline": [0, ["signature"], "@SIGNED", "--offline", "--bundle", "saved.bundle"],
    "a bundle of other images, offline": [3, ["findings"], `@${ABSENT}`, "--offline", "--bundle", "saved.bundle"],
  };

function argumentsOf(args: readonly string[]): readonly string[] {
  return args.map((arg) => {
    if (/^[:@]/.test(arg)) return `${base()}${arg.replace("SIGNED", signed)}`;
    if (arg === "SIGNER") return node.signer.did;
    return /^[a-z-]+\.(?:yaml|bundle)$/.test(arg) ? `${node.folder}/${arg}` : arg;
  });
}

describe.concurrent("the JSON that verify prints", () => {
  it.each(Object.keys(CASES))("has the shape that its schema says: %s", async (name) => {
    const [status, keys, ...args] = CASES[name] ?? expect.fail(name);
    const { stdout, stderr, code } = await node.verify([...argumentsOf(args), "--output", "json"]);
    expect(code, stdout + stderr).toBe(status);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(faultsOf(document)).toEqual([]);
    expect(Object.keys(document)).toEqual(expect.arrayContaining([...keys]));
    const lines = await node.verify([...argumentsOf(args), "--output", "ndjson"]);
    expect(lines.code).toBe(status);
    expect(faultsOfText(lines.stdout, "ndjson")).toEqual([]);
  });
});
