import { read } from "node:fs";
import { reject } from "../rejection.ts";
import { readQuestion } from "./containerd-input.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { readAtMost } from "./read-at-most.ts";
import { loadConfig, loadPolicy } from "./settings.ts";

const STDIN = 0;
const CHUNK = 64 * 1024;
/** Milliseconds until another look where the input has been made non-blocking and is empty. */
const PAUSE = 5;
/** Cap on the standard input (spec 1.1). */
const MAX_STDIN = 4 * 1024 * 1024;

/** containerd's door: one question by flags and standard input, one reason line and exit code as the answer. */
export async function containerdDoor(args: readonly string[], edge: ProcessEdge): Promise<never> {
  // Read to its end first: containerd logs a warning where its pipe breaks.
  const stdin = await edge.deadline.track("the standard input", readStdin);
  const subject = readQuestion(args, stdin);
  const config = loadConfig(undefined);
  edge.setDeadline(config.deadline);
  const policy = loadPolicy(config.trustPolicyPath);
  const { judgeOnline } = await import("./online.ts");
  const { verdict } = await judgeOnline(subject, policy, config, edge);
  edge.answer(verdict);
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
 * Reads the standard input without blocking: the watchdog must be able to bark while nothing comes.
 * Not through process.stdin, which costs three times the start of the whole runtime.
 */
async function* stdinChunks(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = await new Promise<Uint8Array | undefined>((resolve, fail) => {
      read(STDIN, Buffer.allocUnsafe(CHUNK), 0, CHUNK, null, (error, size, buffer) => {
        if (error === null) resolve(buffer.subarray(0, size));
        else if (error.code === "EAGAIN") setTimeout(resolve, PAUSE, undefined);
        else fail(error);
      });
    });
    if (chunk?.length === 0) return;
    if (chunk !== undefined) yield chunk;
  }
}
