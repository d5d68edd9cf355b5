import { constants, fstatSync, openSync, read, readSync } from "node:fs";
import { formatReference } from "../../core/oci/reference.ts";
import { isProbe } from "../../core/oci/reserved-name.ts";
import type { BreakGlassFile } from "../../core/policy/break-glass.ts";
import { reject } from "../../core/rejection.ts";
import { probeRefusal } from "../../core/verify/answer.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { readAtMost } from "../../io/fs/read-at-most.ts";
import type { Environment, StartedWith } from "../../io/process/environment.ts";
import { processAge } from "../../io/process/process-start.ts";
import { breakGlassFileExists } from "../../io/settings/break-glass-path.ts";
import { settingsForPull } from "../../io/settings/parsed-settings-cache.ts";
import { CacheKey } from "../../io/store/cache-key.ts";
import { Verifier } from "../../verifier/service/verifier.ts";
import { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { sessionOf } from "../process/process-session.ts";
import { restartForLongWork, restartWithoutJit } from "../process/reexec.ts";
import { readFlags, readSubject } from "./containerd-input.ts";
import { DecisionContext, recordDecision } from "./record-decision.ts";

const STDIN = 0;
const CHUNK = 64 * 1024;
/** Milliseconds until the next attempt to read, if there is no input yet. */
const PAUSE = 5;
/** Cap on the standard input (spec 1.1). */
const MAX_STDIN = 4 * 1024 * 1024;
/** UTF-16 units above which a file takes longer to parse than a restart of the program takes. */
const LARGE = 32 * 1024;

/** containerd's entry point. */
export function runFrontend(args: readonly string[], started: StartedWith): void {
  const lifecycle = new ProcessLifecycle(started.environment, started.warned);
  answerContainerd(args, started, lifecycle).catch((error: unknown) => lifecycle.caught(error));
}

/**
 * Answers one request, given by flags and standard input, with a reason line and an exit code. If cached settings and
 * evidence suffice, the program answers as it was started; otherwise it restarts for the work (reexec.ts) and runs through
 * here again.
 */
async function answerContainerd(
  args: readonly string[],
  started: StartedWith,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const { environment } = started;
  const notes = new DecisionContext();
  lifecycle.afterwards = (answer) => recordDecision(answer, notes, lifecycle);
  lifecycle.countFromStart(processAge());
  const flags = readFlags(args);
  ({ name: notes.image, digest: notes.digest } = flags ?? {});
  // Read to its end first: containerd logs a warning if its pipe breaks.
  const stdin = started.stdin ?? (await lifecycle.deadline.track(awaited(args), readStdin));
  const subject = readSubject(flags, stdin);
  notes.image ??= formatReference(subject.name);
  notes.digest ??= subject.digest;
  if (isProbe(subject.name)) lifecycle.answer(probeRefusal(subject.digest));
  const breakGlass = await breakGlassFile(environment);
  notes.breakGlassUntil = breakGlass?.active?.until ?? 0;
  lifecycle.enforcement = { image: subject.name, breakGlass };

  const handover = () => ({ stdin, warned: lifecycle.warnings.all });
  const restart = (): void => restartWithoutJit(started, args, handover());
  const beforeParsing = (size: number): void =>
    size > LARGE ? restartForLongWork(started, args, handover()) : restart();
  const cacheKey = new CacheKey(environment, lifecycle.warnings.warn);
  const { config, policy } = await settingsForPull(environment, cacheKey, {
    warn: lifecycle.warnings.warn,
    beforeParsing,
    hasConfig: (read) => {
      notes.config = read;
      lifecycle.setDeadline(read.deadline);
    },
    hasPolicy: (hash) => {
      notes.policyHash = hash;
    },
  });
  const verifier = new Verifier({ config, policy, breakGlass, environment, cacheKey });
  lifecycle.atEnd(() => verifier.close());
  lifecycle.conclude(await verifier.verify(subject, sessionOf(lifecycle, restart)));
}

/** The module that reads the file is loaded only if there is one. */
async function breakGlassFile(environment: Environment): Promise<BreakGlassFile | undefined> {
  if (!breakGlassFileExists(environment)) return undefined;
  const { readBreakGlassFile } = await import("../../io/settings/break-glass-file.ts");
  return readBreakGlassFile(environment, Date.now());
}

/** What it waits for, as named in the reason. A run without arguments may be a person's mistake, so it points to the help. */
function awaited(args: readonly string[]): string {
  return args.length > 0
    ? "the standard input"
    : "an image on the standard input (no arguments were given; see atcr-verify --help)";
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
 * Reads standard input without blocking, so that the watchdog can answer while there is no input. Not through process.stdin,
 * which takes three times as long as starting the runtime; nor by asynchronous reads, which start threads although
 * containerd's input is usually there already.
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

/** Opens the pipe again as non-blocking; a regular file never blocks; undefined for anything else. */
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

/** @returns undefined if there is no input yet */
function readNow(pipe: number): Uint8Array | undefined {
  const buffer = Buffer.allocUnsafe(CHUNK);
  try {
    return buffer.subarray(0, readSync(pipe, buffer));
  } catch (error) {
    if (hasCode(error, "EAGAIN")) return undefined;
    throw error;
  }
}

/** @returns undefined if the input is non-blocking and empty */
function readLater(): Promise<Uint8Array | undefined> {
  return new Promise((resolve, fail) => {
    read(STDIN, Buffer.allocUnsafe(CHUNK), 0, CHUNK, null, (error, size, buffer) => {
      if (error === null) resolve(buffer.subarray(0, size));
      else if (error.code === "EAGAIN") resolve(undefined);
      else fail(error);
    });
  });
}
