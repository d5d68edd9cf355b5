import { listenText } from "../../core/config/listen-address.ts";
import { type GateName, OPEN_GATES, type ServerSettings } from "../../core/config/server-settings.ts";
import { printable } from "../../core/encoding/printable.ts";
import { reject } from "../../core/rejection.ts";
import { BUILD, VERSION } from "../../core/version.ts";
import { recordLine } from "../../io/log/decision-record.ts";
import type { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { appOf, type Server } from "./app.ts";
import { GateQueue } from "./gate-queue.ts";
import type { Judge } from "./judge-review.ts";
import { type ListenHooks, type Listening, listen } from "./listening/listener.ts";
import { recordOf } from "./record-review.ts";
import { BodyReader } from "./request-body.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { Verifiers } from "./verifiers.ts";

/** Milliseconds after a signal in which new connections are still taken: who asks learns late that this one stops. */
const LAME_DUCK = 3000;

/** `atcr-verify serve`: answers until it is ended. */
export async function serveCommand(
  { config: named }: { readonly config: string | undefined },
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const warn = (text: string): void => lifecycle.diagnose(printable(text));
  const failed = (error: unknown): void =>
    lifecycle.diagnose(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const verifiers = new Verifiers(lifecycle.environment, named);
  const { config } = verifiers;
  const { server: settings } = config;
  if (settings === undefined)
    reject("config.invalid", 'the configuration has no section "server", which says where to listen');
  const queue = new GateQueue();
  const listening: Listening[] = [];
  const metrics = new ServerMetrics({
    version: BUILD,
    gates: judgingGates(settings),
    queue: (gate) => queue.of(gate),
    connections: () => listening.reduce((sum, one) => sum + one.open(), 0),
    certificateUntil: () => firstOf(listening.map((one) => one.certificateUntil())),
    breakGlassUntil: () => undefined,
    remembered: () => verifiers.remembered,
  });
  const judge: Judge = {
    judgingFor: (review) => verifiers.judgingFor(review),
    inPlace: ({ gate, deadline }, work) =>
      queue.run(gate, deadline.remaining(), (waited) => {
        metrics.waited(waited);
        return work();
      }),
    answered: (review, answered) => {
      const record = recordOf(review, answered);
      metrics.decided(review.gate, record);
      lifecycle.say(recordLine(record));
    },
    warn,
    failed,
  };
  let isStopping = false;
  const server: Server = {
    judge,
    bodies: new BodyReader(),
    deadline: () => config.deadline,
    tags: () => settings.tags,
    callerOf: () => undefined,
    demandsToken: () => settings.tokenFiles.length > 0,
    isReady: () => !isStopping,
    metrics: () => metrics.read(),
    answered: (gate, status, ms) => metrics.answered(gate, status, ms),
    failed,
  };
  const hooks: ListenHooks = {
    count: (event) => metrics.connection(event),
    reloaded: (isUsed) => metrics.reloaded("certificate", isUsed),
    warn,
    failed,
  };
  for (const listener of settings.listeners)
    listening.push(await listen(listener, appOf(listener.gates, server), hooks));
  lifecycle.diagnose(`atcr-verify ${VERSION} answers on ${settings.listeners.map(listenText).join(" and ")}`);
  return lifecycle.standBy(async () => {
    isStopping = true;
    for (const one of listening) one.drain();
    await new Promise((resolve) => setTimeout(resolve, LAME_DUCK));
    await Promise.all(listening.map((one) => one.stop(config.deadline)));
  });
}

/** Those of all listeners, each once. */
function judgingGates({ listeners }: ServerSettings): readonly GateName[] {
  const gates = new Set(listeners.flatMap((listener) => listener.gates));
  return [...gates].filter((gate) => !OPEN_GATES.includes(gate));
}

/** @param times milliseconds since 1970 */
function firstOf(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
