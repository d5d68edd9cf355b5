import { createReadStream, lstatSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { Decision } from "../decide/decide.ts";
import { answerFromCache } from "../decide/from-cache.ts";
import { replaceFile } from "../disk/replace-file.ts";
import { parseDateTime } from "../encoding/time.ts";
import { type ImageReference, normaliseReference } from "../oci/reference.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { select } from "../policy/select.ts";
import { reject } from "../rejection.ts";
import { type Bundle, readBundle, writeBundle } from "../verify/bundle.ts";
import type { Subject } from "../verify/evidence.ts";
import { judgeBundle } from "../verify/offline.ts";
import { type CommandLine, readCommandLine, readOutput } from "./command-line.ts";
import { openMemory } from "./node-memory.ts";
import { judgeOnline } from "./online.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { readAtMost } from "./read-at-most.ts";
import { jsonReport } from "./report.ts";
import { loadConfig, loadPolicy } from "./settings.ts";

/** Cap on a saved bundle: more than all bodies of a gathering whose every answer is as long as it may be. */
const MAX_BUNDLE = 256 * 1024 * 1024;

const OPTIONS = {
  policy: "value",
  config: "value",
  output: "value",
  "media-type": "value",
  "save-evidence": "value",
  offline: "flag",
  bundle: "value",
  at: "value",
  "no-cache": "flag",
} as const;

/** `atcr-verify verify NAME@DIGEST`: the same decision as at containerd's door, for people and pipelines. */
export async function verifyCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  // As long as it is not known which image is asked about, it is not told either.
  const isJson = readOutput(args) === "json";
  if (isJson) edge.render = (answer) => jsonReport(answer, undefined);
  const line = readCommandLine(args, OPTIONS);
  const subject = readSubject(line);
  if (isJson) edge.render = (answer) => jsonReport(answer, subject);

  const config = loadConfig(line.values.get("config"));
  edge.setDeadline(config.deadline);
  const policy = loadPolicy(line.values.get("policy") ?? config.trustPolicyPath);
  const bundlePath = line.values.get("bundle");
  if (line.flags.has("offline")) {
    if (bundlePath === undefined) reject("input.malformed", "--offline needs --bundle FILE, the evidence to judge");
    if (line.values.has("save-evidence")) reject("input.malformed", "--save-evidence does not go with --offline");
    const now = readTime(line.values.get("at"));
    const bundle = readBundle(await edge.deadline.track(`the bundle ${bundlePath}`, () => readInput(bundlePath)));
    edge.answer(judgeBundle({ ...subject, policy, bundle, atcrHosts: config.atcrHosts, now }));
  }
  for (const option of ["bundle", "at"] as const) {
    if (line.values.has(option)) reject("input.malformed", `--${option} goes with --offline only`);
  }
  const { verdict, evidence } = await decision(subject, policy, config, edge, line.flags.has("no-cache"));
  const target = line.values.get("save-evidence");
  if (target !== undefined) save(target, { digest: subject.digest, evidence }, edge);
  edge.answer(verdict);
}

/** As at containerd's door, but for what was refused a moment ago: whoever asks again wants to know. */
async function decision(
  subject: Subject,
  policy: TrustPolicy,
  config: Config,
  edge: ProcessEdge,
  noCache: boolean,
): Promise<Decision> {
  const given = noCache ? { ...config, cacheEnabled: false } : config;
  const memory = openMemory(given, edge);
  const selection = select(policy, subject.name, subject.digest);
  const known =
    selection.kind === "judge"
      ? await answerFromCache(subject, selection.rule, { ...memory, config: given })
      : undefined;
  if (known === undefined) return judgeOnline(subject, policy, given, edge, memory);
  const { verdict, signatures, owner } = known;
  return { verdict, evidence: { pointers: [], signatures: signatures(), gaps: [], ...(owner && { owner }) } };
}

function readSubject({ operands, values }: CommandLine<keyof typeof OPTIONS>): Subject {
  const [text, ...more] = operands;
  if (text === undefined || more.length > 0) {
    reject("input.malformed", `found ${operands.length} image names, expected one NAME@sha256:DIGEST`);
  }
  const name: ImageReference = normaliseReference(text);
  if (name.digest === undefined) {
    reject("input.malformed", `"${text}" has no digest; a tag is not resolved here, write NAME@sha256:DIGEST`);
  }
  const mediaType = values.get("media-type");
  // Here the digest must be written; a tag beside it is that by which containerd would have found it.
  const { tag } = name;
  return {
    name,
    digest: name.digest,
    ...(tag !== undefined && { tag }),
    ...(mediaType !== undefined && { mediaType }),
  };
}

function readTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const expected = "a time such as 2026-01-31T12:00:00Z";
  return parseDateTime(text) ?? reject("input.malformed", `--at is "${text}", expected ${expected}`);
}

/** Not at once: a named pipe may have no writer, and then the deadline must still be kept. */
async function readInput(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readAtMost(createReadStream(path), MAX_BUNDLE);
  } catch (error) {
    reject("bundle.malformed", `the bundle ${path} cannot be read: ${(error as Error).message}`, error);
  }
  return bytes ?? reject("bundle.malformed", `the bundle ${path} has more than ${MAX_BUNDLE} bytes`);
}

/** Whole or not at all. A failure is said and changes nothing about the verdict. */
function save(path: string, bundle: Bundle, edge: ProcessEdge): void {
  try {
    // What is renamed over is gone: that must not happen to /dev/null.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new Error("it is there and no regular file");
    replaceFile(path, writeBundle(bundle));
  } catch (error) {
    edge.diagnose(`the evidence was not saved to ${path}: ${(error as Error).message}`);
  }
}
