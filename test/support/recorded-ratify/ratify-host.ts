import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answered, type Ask, ask } from "../binary.ts";

/**
 * What Ratify v1.4.4 writes and reads, made by hand from its Go types: none was copied from a running Ratify. Keys are in the
 * order of Go's encoder, of a map sorted; `@POLICY@` and `@DID@` stand for a test's own.
 *
 * - `signature-verifier`: a Verifier resource, its parameters beside the keys that the controller adds
 * - `evidence-verifier`: one with a source, a type of its own store, and trustedDIDs
 * - `configuration-file`: a verifier of Ratify's own configuration file, without a type
 */
export function recordedRequest(name: string, own: Readonly<Record<"POLICY" | "DID", string>>): string {
  const text = readFileSync(join(import.meta.dirname, `${name}.txt`), "utf8");
  return text
    .trimEnd()
    .replaceAll(/@(POLICY|DID)@/g, (_, key: "POLICY" | "DID") => JSON.stringify(own[key]).slice(1, -1));
}

/** What Ratify reads: GetVerifierResult of pkg/verifier/types. */
export interface PluginReport {
  readonly isSuccess: boolean;
  readonly message: string;
  readonly name: string;
  readonly type?: string;
  readonly extensions: Readonly<Record<string, string>>;
}

/** Bytes of a line at which Go's bufio.Scanner gives up. */
const LONGEST = 64 * 1024;

/**
 * Runs the program as Ratify does: no arguments, the whole parent environment and three variables, of which a test
 * may replace or leave out some.
 */
export function askAsRatify(
  subject: string,
  stdin: Ask["stdin"],
  options: { readonly env?: Ask["env"]; readonly version?: string; readonly redirect?: string } = {},
): Promise<Answered> {
  const { env = {}, version = "1.0.0", redirect } = options;
  const own = {
    RATIFY_VERIFIER_COMMAND: "VERIFY",
    RATIFY_VERIFIER_SUBJECT: subject,
    RATIFY_VERIFIER_VERSION: version,
  };
  return ask([], { env: { ...own, ...env }, ...(stdin !== undefined && { stdin }), ...(redirect && { redirect }) });
}

/**
 * Finds the result as Ratify does (parsePluginOutput of pkg/common/plugin/exec.go): standard error and standard output are
 * one text, and each line with a brace is tried as JSON.
 *
 * @throws Error where it would find none, or more than one, or not all of it
 */
export function readAsRatify({ code, stdout, stderr }: Answered): PluginReport {
  if (code !== 0) throw new Error(`plugin failed with error: exit status ${code}: ${stdout}`);
  const lines = `${stderr}${stdout}`.split("\n");
  if (lines.some((line) => Buffer.byteLength(line) >= LONGEST)) throw new Error("a line is too long");
  const [only, ...more] = lines.filter((line) => line.includes("{"));
  if (only === undefined || more.length > 0) throw new Error(`expected one line with a brace: ${stderr}${stdout}`);
  return JSON.parse(only) as PluginReport;
}
