import type { Rule, TrustPolicy } from "../../src/core/policy/policy.ts";
import type { Warning } from "../../src/core/warning.ts";
import { Deadline } from "../../src/io/process/deadline.ts";
import type { Decision } from "../../src/verifier/service/decision.ts";
import { RequestCounts } from "../../src/verifier/service/exchanges.ts";
import type { Session } from "../../src/verifier/service/session.ts";
import { HANGS } from "./deciding.ts";
import { subject } from "./evidence.ts";
import type { World } from "./world.ts";

/** A session in a world of stand-ins that records its callbacks, each with the number of requests until then. */
export class RecordedSession implements Session {
  readonly deadline: Deadline;
  readonly requestCounts = new RequestCounts();
  readonly events: string[] = [];
  readonly warnings: string[] = [];
  readonly #world: World;

  constructor(world: World, deadline = new Deadline(performance.now() + HANGS)) {
    this.#world = world;
    this.deadline = deadline;
  }

  now(): number {
    return this.#world.now;
  }

  /** Including earlier calls. */
  warn({ code, message }: Warning): void {
    this.warnings.push(`${code}: ${message}`);
  }

  ruleSelected({ name }: Rule): void {
    this.events.push(`${name} after ${this.#world.http.asked.length}`);
  }

  beforeHeavyWork(): void {
    this.events.push(`heavy work after ${this.#world.http.asked.length}`);
  }
}

/** The answer of a process of the world's node to one request, and the callbacks to its caller. */
export async function ask(world: World, judged: TrustPolicy, verifier = world.verifier(judged), about = subject()) {
  const session = new RecordedSession(world);
  const decision = await verifier.verify(about, session);
  const { events, warnings, requestCounts } = session;
  return { decision, events, warnings, services: [...requestCounts.asked.keys()].toSorted() };
}

/** Why an image is allowed; else outcome and code. */
export function headline({ answer }: Decision): string {
  return answer.outcome === "allow" ? answer.because.kind : `${answer.outcome} ${answer.code}`;
}
