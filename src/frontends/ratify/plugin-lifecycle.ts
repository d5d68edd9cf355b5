import { printable } from "../../core/encoding/printable.ts";
import { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { errorLine, MAX_TEXT, PluginError } from "./plugin-error.ts";
import { type NamedVerifier, resultLine, statusOf } from "./plugin-result.ts";

/** Lines of a diagnosis: of the stack of a bug, the rest says little. */
const MAX_LINES = 20;
/** Exit status beside an error of the protocol. */
const FAILED = 1;

/** The life of a process that Ratify started: whatever ends it, one line of the protocol is written. */
export class PluginLifecycle extends ProcessLifecycle {
  /** Set once the host's request has been read. */
  verifier: NamedVerifier = { name: "atcr-verify", type: undefined };
  override render = (answer: Parameters<typeof resultLine>[0]): string => resultLine(answer, this.verifier);
  override status = statusOf;

  /**
   * Ratify reads standard error together with standard output, and takes each line that has a brace and begins with JSON
   * for the result, or for a part of it. `WARN: ` makes it log the line.
   */
  override diagnose(text: string): void {
    for (const line of text.split("\n", MAX_LINES)) {
      if (line !== "") super.diagnose(`WARN: ${printable(line.slice(0, MAX_TEXT)).replace(/[{}]/g, "?")}`);
    }
  }

  override fail(error: unknown): never {
    if (error instanceof PluginError) this.print(errorLine(error), FAILED);
    super.fail(error);
  }
}
