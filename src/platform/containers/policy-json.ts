import { isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { YamlFile } from "../../core/encoding/yaml.ts";
import { reject } from "../../core/rejection.ts";

/** What an image must fulfil, as written (containers-policy.json(5)); all of a list must be. */
export type Requirements = readonly JsonObject[];
/** By scope; "" is the default of the transport. */
export type Scopes = Readonly<Record<string, Requirements>>;

/** A policy.json of podman, CRI-O, skopeo and buildah. */
export interface ContainersPolicy {
  readonly default: Requirements;
  /** By the transport's name. */
  readonly transports: Readonly<Record<string, Scopes>>;
  /** One level of indentation of the file. */
  readonly indent: string;
}

/** The transport by which images are pulled from registries. */
const DOCKER = "docker";
const INDENT = "    ";
/** Types of requirements, and their keys beside `type` (image/signature/policy_config.go). Others are refused there as well. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  insecureAcceptAnything: [],
  reject: [],
  signedBy: ["keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"],
  signedBaseLayer: ["baseLayerIdentity"],
  sigstoreSigned: [
    "keyPath",
    "keyPaths",
    "keyData",
    "keyDatas",
    "fulcio",
    "pki",
    "rekorPublicKeyPath",
    "rekorPublicKeyPaths",
    "rekorPublicKeyData",
    "rekorPublicKeyDatas",
    "signedIdentity",
  ],
};
/** JSON's tokens (RFC 8259), and the space before them. */
const TOKEN = /\s*(?:"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true\b|false\b|null\b|[{}[\]:]|,(?!\s*[}\]]))/y;

/** What is written where a node has no policy.json: without one, podman pulls nothing. */
export const FIRST_POLICY: ContainersPolicy = {
  default: [{ type: "insecureAcceptAnything" }],
  transports: {},
  indent: INDENT,
};

/**
 * Reads a policy.json as strictly as containers/image: unknown and repeated keys are rejected, because who rewrites what it
 * does not understand may weaken it.
 *
 * @param path for messages
 * @throws Rejection config.invalid, with file, line and key
 */
export function parsePolicyJson(text: string, path: string): ContainersPolicy {
  assertJson(text, path);
  // Of JSON it reads what JSON.parse reads, refuses repeated keys, and knows the place of each value.
  const file = new YamlFile(text, path, "config.invalid");
  const top = file.value;
  if (!isJsonObject(top)) return file.fail({ path: [], expected: "an object" });
  assertKeys(file, [], top, ["default", "transports"]);
  const transports: Record<string, Scopes> = {};
  const written = top["transports"] ?? {};
  if (!isJsonObject(written)) return file.fail({ path: ["transports"], expected: "an object" });
  for (const [transport, scopes] of Object.entries(written)) {
    const at = ["transports", transport];
    if (!isJsonObject(scopes)) return file.fail({ path: at, expected: "an object of scopes" });
    transports[transport] = Object.fromEntries(
      Object.entries(scopes).map(([scope, list]) => [scope, requirementsOf(file, [...at, scope], list)]),
    );
  }
  return {
    default: requirementsOf(file, ["default"], top["default"]),
    transports,
    indent: /^[ \t]+(?=")/m.exec(text)?.[0] ?? INDENT,
  };
}

/** The file's text, with a line break at its end. */
export function policyText({ default: others, transports, indent }: ContainersPolicy): string {
  return `${JSON.stringify({ default: others, transports }, null, indent)}\n`;
}

/** Demands a signature of this node's lookaside responder, for exactly the repository that is pulled. @param keyPath absolute path of its public key */
export function signedByNode(keyPath: string): Requirements {
  return [{ type: "sigstoreSigned", keyPath, signedIdentity: { type: "matchRepository" } }];
}

/** Path of the key where these are requirements as {@link signedByNode} makes them; undefined for any other. */
export function nodeKeyOf(requirements: Requirements | undefined): string | undefined {
  const [only, ...more] = requirements ?? [];
  const keyPath = only?.["keyPath"];
  if (more.length > 0 || only === undefined || typeof keyPath !== "string") return undefined;
  const { keyPath: _, signedIdentity, type, ...others } = only;
  const isSame =
    type === "sigstoreSigned" &&
    Object.keys(others).length === 0 &&
    isJsonObject(signedIdentity) &&
    JSON.stringify(signedIdentity) === '{"type":"matchRepository"}';
  return isSame ? keyPath : undefined;
}

export function requirementsOfScope({ transports }: ContainersPolicy, scope: string): Requirements | undefined {
  return dockerScopes(transports)[scope];
}

/** All scopes of registries. */
export function scopesOf({ transports }: ContainersPolicy): readonly string[] {
  return Object.keys(dockerScopes(transports));
}

/** Scopes that take images of this host away from the host's own requirements: the longest one counts. */
export function scopesBelow(policy: ContainersPolicy, host: string): readonly string[] {
  return scopesOf(policy).filter((scope) => scope.startsWith(`${host}/`));
}

/** The policy with these requirements in place of those of the scopes; undefined: without the scope. */
export function withScopes(
  policy: ContainersPolicy,
  scopes: readonly string[],
  requirements: Requirements | undefined,
): ContainersPolicy {
  const after: Record<string, Requirements> = { ...dockerScopes(policy.transports) };
  for (const scope of scopes) {
    if (requirements === undefined) delete after[scope];
    else after[scope] = requirements;
  }
  const { [DOCKER]: _, ...others } = policy.transports;
  // In the place where it was, so that a comparison of the files shows only the scopes.
  const transports =
    DOCKER in policy.transports ? { ...policy.transports, [DOCKER]: after } : { [DOCKER]: after, ...others };
  if (Object.keys(after).length === 0) return { ...policy, transports: others };
  return { ...policy, transports };
}

/** The other transports that the policy has requirements for. */
export function otherTransports({ transports }: ContainersPolicy): readonly string[] {
  return Object.keys(transports).filter((transport) => transport !== DOCKER);
}

function dockerScopes(transports: ContainersPolicy["transports"]): Scopes {
  return transports[DOCKER] ?? {};
}

function requirementsOf(file: YamlFile, at: readonly (string | number)[], value: unknown): Requirements {
  if (!Array.isArray(value) || value.length === 0) return file.fail({ path: at, expected: "a list of requirements" });
  return value.map((requirement: unknown, i) => {
    const path = [...at, i];
    if (!isJsonObject(requirement)) return file.fail({ path, expected: "an object with a type" });
    const type = requirement["type"];
    const keys = typeof type === "string" && Object.hasOwn(KEYS, type) ? KEYS[type] : undefined;
    if (keys === undefined) {
      return file.fail({ path: [...path, "type"], expected: `one of ${Object.keys(KEYS).join(", ")}` });
    }
    assertKeys(file, path, requirement, ["type", ...keys]);
    return requirement;
  });
}

function assertKeys(
  file: YamlFile,
  at: readonly (string | number)[],
  object: JsonObject,
  known: readonly string[],
): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const found = `the key "${unknown}", which is not known`;
  file.fail({ path: [...at, unknown], isKey: true, found, expected: `one of ${known.join(", ")}` });
}

/** Rejects YAML that is no JSON: comments, for example. */
function assertJson(text: string, path: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    TOKEN.lastIndex = 0;
    let end = 0;
    while (TOKEN.test(text)) end = TOKEN.lastIndex;
    const rest = text.slice(end).trimStart();
    const line = text.slice(0, text.length - text.slice(end).trimStart().length).split("\n").length;
    if (text.trim() === "") reject("config.invalid", `${path} is empty, so podman cannot read it either`, error);
    const found = rest === "" ? "a value that is not closed" : JSON.stringify(rest.split("\n", 1)[0]?.slice(0, 60));
    const what = `${path} is not valid JSON (line ${line}: found ${found}), so podman cannot read it either`;
    reject("config.invalid", what, error);
  }
}
