import type { LoggedGate } from "../../io/log/decision-record.ts";
import type { Deadline } from "../../io/process/deadline.ts";

/** A gate of the server that judges images. */
export type JudgingGate = Exclude<LoggedGate, "lookaside">;

/** Images that are judged together: those of one object, or of one request. */
export interface Review {
  readonly gate: JudgingGate;
  /** Name of one of `server.policies`; absent for trustPolicyPath. */
  readonly policy?: string | undefined;
  /** As the caller wrote them; attacker-controlled. */
  readonly images: readonly string[];
  readonly unpinned: "refuse" | "resolve";
  readonly deadline: Deadline;
  /** Where the images are to run; absent where the protocol does not say, or where its caller cannot be trusted. */
  readonly namespace?: string | undefined;
  /** Whose images they are, for the log: kind and name; absent where the protocol does not say. Attacker-controlled. */
  readonly object?: string | undefined;
  /** Who asks, for the log: the user of the API server, or the name of a token. */
  readonly user?: string | undefined;
  /** Whether nothing is created, whatever the answer. */
  readonly isDryRun?: boolean | undefined;
}
