import { listenText } from "../../core/config/listen-address.ts";
import { printable } from "../../core/encoding/printable.ts";
import { reject } from "../../core/rejection.ts";
import { VERSION } from "../../core/version.ts";
import { recordLine } from "../../io/log/decision-record.ts";
import type { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { appOf, type Server } from "./app.ts";
import { GateQueue } from "./gate-queue.ts";
import type { Judge } from "./judge-review.ts";
import { type Listening, listen } from "./listening/listener.ts";
import { recordOf } from "./record-review.ts";
import { BodyReader } from "./request-body.ts";
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
  const judge: Judge = {
    judgingFor: (review) => verifiers.judgingFor(review),
    inPlace: ({ gate, deadline }, work) => queue.run(gate, deadline.remaining(), work),
    answered: (review, answered) => lifecycle.say(recordLine(recordOf(review, answered))),
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
    metrics: async () => ({ contentType: "text/plain", text: "" }),
    answered: () => {},
    failed,
  };
  const hooks = { count: () => {}, reloaded: () => {}, warn, failed };
  const listening: Listening[] = [];
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
