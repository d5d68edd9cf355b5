import { Rejection, reject } from "../rejection.ts";
import { readQuestion } from "./containerd-input.ts";
import { judgeOnline } from "./online.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { loadConfig, loadPolicy } from "./settings.ts";

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
  const { verdict } = await judgeOnline(subject, policy, config, edge);
  edge.answer(verdict);
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_STDIN) reject("input.malformed", `the standard input has more than ${MAX_STDIN} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Rejection) throw error;
    reject("input.malformed", `the standard input cannot be read: ${String(error)}`, error);
  }
  return Buffer.concat(chunks);
}
