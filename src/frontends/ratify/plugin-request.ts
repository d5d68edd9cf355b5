import { toUtf8 } from "../../core/encoding/bytes.ts";
import { field, isJsonObject, type JsonObject, parseJson } from "../../core/encoding/json.ts";
import { type ImageReference, parseReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import { type Environment, RATIFY_COMMAND } from "../../io/process/environment.ts";
import { PluginError, type PluginErrorKind } from "./plugin-error.ts";

const VERSION = "RATIFY_VERIFIER_VERSION";
const SUBJECT = "RATIFY_VERIFIER_SUBJECT";
/** Of the protocol: its own number, which is the host's default, and the one of most Verifier resources. */
const VERSIONS = ["0.1.0", "1.0.0"];

/** What the host writes to standard input, as far as it is read. */
export interface PluginInput {
  /** Of the Verifier resource; both are repeated in the result. */
  readonly name: string;
  readonly type: string | undefined;
  /** All of `config`: the resource's parameters, and the host's own keys. */
  readonly config: JsonObject;
  /** Whether the host's store asks registries by plain HTTP. */
  readonly usesHttp: boolean;
}

/**
 * Reads the environment of the protocol (Ratify v1.4: pkg/verifier/plugin/args.go).
 *
 * @returns the image to verify, which may have no digest; attacker-controlled: an author of a pod wrote it
 * @throws PluginError
 */
export function readSubjectOf(environment: Environment): ImageReference {
  const missing = [RATIFY_COMMAND, VERSION, SUBJECT].filter((name) => !environment[name]);
  if (missing.length > 0) throw new PluginError("environment", `missing env variables [${missing.join(",")}]`);
  const { [RATIFY_COMMAND]: command = "", [VERSION]: version = "", [SUBJECT]: subject = "" } = environment;
  if (command !== "VERIFY") throw new PluginError("command", `${RATIFY_COMMAND} is "${command}", expected VERIFY`);
  if (!VERSIONS.includes(version))
    throw new PluginError("version", `${VERSION} is "${version}", expected ${VERSIONS.join(" or ")}`);
  return asPluginError("subject", `${SUBJECT} is no image name that can be used`, () => parseReference(subject));
}

/**
 * Reads the standard input of the protocol (Ratify v1.4: pkg/verifier/config). The descriptor of the referrer that
 * made the host ask, `referenceDesc`, is not read: it is whatever a registry lists, and proves nothing.
 *
 * @throws PluginError
 */
export function readPluginInput(text: string): PluginInput {
  const what = "the standard input";
  const input = asPluginError("input", `${what} cannot be used`, () =>
    parseJson(toUtf8(text), "input.malformed", what),
  );
  if (!isJsonObject(input)) throw new PluginError("input", `${what} is not a JSON object`);
  const config = field(input, "config");
  if (!isJsonObject(config)) throw new PluginError("input", `config on ${what} is not an object`);
  const [name, type] = [field(config, "name"), field(config, "type")];
  if (typeof name !== "string" || name === "") throw new PluginError("parameters", "the verifier has no name");
  if (type !== undefined && typeof type !== "string")
    throw new PluginError("parameters", "the type of the verifier is not a string");
  return { name, type: type === "" ? undefined : type, config, usesHttp: usesHttp(field(input, "storeConfig")) };
}

/** Turns a rejection by the core into an error of the protocol; anything else is a bug, and is rethrown. */
export function asPluginError<T>(kind: PluginErrorKind, message: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    throw new PluginError(kind, message, `${error.code}: ${error.message}`);
  }
}

function usesHttp(storeConfig: unknown): boolean {
  const store = isJsonObject(storeConfig) ? field(storeConfig, "store") : undefined;
  return isJsonObject(store) && field(store, "useHttp") === true;
}
