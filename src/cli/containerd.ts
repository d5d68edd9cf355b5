import { constants, fstatSync, openSync, read, readSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { answerFromCache } from "../decide/from-cache.ts";
import { hasCode } from "../disk/error-code.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { formatReference } from "../oci/reference.ts";
import type { Rule } from "../policy/policy.ts";
import { isProbe } from "../policy/probe.ts";
import { select } from "../policy/select.ts";
import { reject } from "../rejection.ts";
import { processAge } from "../state/process-start.ts";
import { verdictOf } from "../verify/by-policy.ts";
import type { Subject } from "../verify/evidence.ts";
import type { Allow } from "../verify/verdict.ts";
import { BUILD } from "../version.ts";
import { type Answer, refusalOf } from "./answer.ts";
import { isThereGlass } from "./break-glass-place.ts";
import { namedByFlags, readQuestion } from "./containerd-input.ts";
import { DecisionNotes, tell } from "./decision-notes.ts";
import { type NodeMemory, openMemory } from "./node-memory.ts";
import { ProcessEdge } from "./process-edge.ts";
import { readAtMost } from "./read-at-most.ts";
import { settingsForPull } from "./remembered-settings.ts";
import { handedOver, restartWithoutJit } from "./without-jit.ts";

const STDIN = 0;
const CHUNK = 64 * 1024;
/** Milliseconds until another look where nothing has come yet. */
const PAUSE = 5;
/** Cap on the standard input (spec 1.1). */
const MAX_STDIN = 4 * 1024 * 1024;
/** Share of the time left that a process waits for what another one gathers; then it gathers by itself. */
const PATIENCE = 5 / 8;

/** Opens containerd's door. */
export function openDoor(args: readonly string[]): void {
  const edge = new ProcessEdge();
  containerdDoor(args, edge).catch((error: unknown) => edge.caught(error));
}

/**
 * containerd's door: one question by flags and standard input, one reason line and exit code as the answer.
 * What can be answered by what is remembered is, by the program as it started; else it starts anew for the
 * work (without-jit.ts), and comes to the same place again.
 */
async function containerdDoor(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const notes = new DecisionNotes();
  edge.afterwards = (answer) => tell(answer, notes, edge);
  edge.countFromStart(processAge());
  const known = handedOver();
  ({ name: notes.image, digest: notes.digest } = namedByFlags(args));
  // Read to its end first: containerd logs a warning where its pipe breaks.
  const stdin = known ?? (await edge.deadline.track(awaited(args), readStdin));
  const subject = readQuestion(args, stdin);
  notes.image ??= formatReference(subject.name);
  notes.digest ??= subject.digest;
  if (isProbe(subject.name)) edge.answer(probeRefusal(subject.digest));
  notes.glassUntil = await heedGlass(subject, edge);

  const startAnew = (): void => restartWithoutJit(args, stdin);
  const { config, policy } = await settingsForPull({
    report: (warning) => edge.warn(warning),
    beforeParsing: startAnew,
    hasConfig: (read) => {
      notes.config = read;
      edge.setDeadline(read.deadline);
    },
    hasPolicy: (hash) => {
      notes.policyHash = hash;
    },
  });

  const selection = select(policy, subject.name, subject.digest);
  if (selection.kind === "exempt" || selection.kind === "denied") notes.rule = selection.rule;
  if (selection.kind !== "judge") edge.answer(verdictOf(selection));
  const { rule } = selection;
  edge.rule = rule;
  const memory = openMemory(config, edge);
  const early = await answerWithoutNetwork(subject, rule, config, memory, edge);
  if (early !== undefined) {
    notes.cache = "fresh";
    edge.answer(early);
  }

  startAnew();
  const { judgeOnline } = await import("./online.ts");
  const { verdict } = await judgeOnline(subject, policy, config, edge, memory);
  edge.answer(verdict);
}

/** What tells the doctor that this very program was asked (spec, "The doctor"): before the policy, whatever that says. */
function probeRefusal(digest: string): Answer {
  const detail = `atcr-verify ${BUILD} was asked about ${digest}, and never lets its doctor's own name through`;
  return refusalOf("policy.probe", detail);
}

/**
 * Where the administrator has broken the glass, refusals of what they named let the pull through.
 *
 * @returns until when it is broken; 0 where it is not
 */
async function heedGlass({ name }: Subject, edge: ProcessEdge): Promise<number> {
  if (!isThereGlass()) return 0;
  const { readGlass, overrule } = await import("./break-glass.ts");
  const glass = readGlass(Date.now());
  edge.overrule = (answer) => overrule(answer, glass, name);
  return glass?.broken?.until ?? 0;
}

/** By evidence that is fresh, also by what another process of this node is fetching for the same image. */
async function answerWithoutNetwork(
  subject: Subject,
  rule: Rule,
  config: Config,
  memory: NodeMemory,
  { deadline }: ProcessEdge,
): Promise<Allow | undefined> {
  if (!config.cacheEnabled) return undefined;
  const cached = async () => (await answerFromCache(subject, rule, { ...memory, config, deadline }))?.verdict;
  return deadline.track(`what lies in ${config.cacheDir}`, async () => {
    const known = await cached();
    if (known !== undefined) return known;
    const patience = deadline.remaining() * PATIENCE;
    const turns = await memory.turns();
    return deadline.track("another process that asks about this image", () =>
      turns.findOrTake(lockOf(subject), patience, cached),
    );
  });
}

/**
 * Names the lock of an image: by its name as well, not by the digest alone, because a pull of the same digest
 * from a slow registry would make all others wait.
 */
function lockOf({ name, digest }: Subject): string {
  return `image-${sha256Hex(toUtf8(`${formatReference(name)} ${digest}`))}`;
}

/** What is waited for, as a reason names it: without arguments it is the question, which a person may not have meant to ask. */
function awaited(args: readonly string[]): string {
  return args.length > 0
    ? "the standard input"
    : "a question on the standard input (no arguments; see atcr-verify --help)";
}

async function readStdin(): Promise<Uint8Array> {
  let input: Uint8Array | undefined;
  try {
    input = await readAtMost(stdinChunks(), MAX_STDIN);
  } catch (error) {
    reject("input.malformed", `the standard input cannot be read: ${String(error)}`, error);
  }
  return input ?? reject("input.malformed", `the standard input has more than ${MAX_STDIN} bytes`);
}

/**
 * Reads the standard input without blocking: the watchdog must be able to bark while nothing comes. Not
 * through process.stdin, which costs three times the start of the whole runtime; nor by asynchronous reads,
 * which start threads, where what containerd wrote is there already.
 */
async function* stdinChunks(): AsyncGenerator<Uint8Array> {
  const pipe = openNonBlocking();
  for (;;) {
    const chunk = pipe === undefined ? await readLater() : readNow(pipe);
    if (chunk?.length === 0) return;
    if (chunk === undefined) await new Promise((done) => setTimeout(done, PAUSE));
    else yield chunk;
  }
}

/** The pipe once more, as one that does not wait; a file never does; undefined for what is neither. */
function openNonBlocking(): number | undefined {
  try {
    const stats = fstatSync(STDIN);
    if (stats.isFile()) return STDIN;
    if (!stats.isFIFO()) return undefined;
    return openSync("/proc/self/fd/0", constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** @returns undefined where nothing has come yet */
function readNow(pipe: number): Uint8Array | undefined {
  const buffer = Buffer.allocUnsafe(CHUNK);
  try {
    return buffer.subarray(0, readSync(pipe, buffer));
  } catch (error) {
    if (hasCode(error, "EAGAIN")) return undefined;
    throw error;
  }
}

/** @returns undefined where the input has been made non-blocking and is empty */
function readLater(): Promise<Uint8Array | undefined> {
  return new Promise((resolve, fail) => {
    read(STDIN, Buffer.allocUnsafe(CHUNK), 0, CHUNK, null, (error, size, buffer) => {
      if (error === null) resolve(buffer.subarray(0, size));
      else if (error.code === "EAGAIN") resolve(undefined);
      else fail(error);
    });
  });
}
