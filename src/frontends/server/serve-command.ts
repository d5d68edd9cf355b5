import { type GateName, OPEN_GATES, type ServerSettings } from "../../core/config/server-settings.ts";
import { printable } from "../../core/encoding/printable.ts";
import { BUILD, VERSION } from "../../core/version.ts";
import { whyUnusable } from "../../io/fs/folders.ts";
import { recordLine } from "../../io/log/decision-record.ts";
import { ServerMemory } from "../../verifier/service/server-memory.ts";
import type { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { appOf, type Server } from "./app.ts";
import { hostsOf } from "./foreign-request.ts";
import { GateQueue } from "./gate-queue.ts";
import type { Judge } from "./judge-review.ts";
import { CertificateReports } from "./listening/certificate-reports.ts";
import { type ListenHooks, type Listening, listen } from "./listening/listener.ts";
import { RareLines } from "./rare-lines.ts";
import { recordOf, unjudgedText } from "./record-review.ts";
import { BodyReader } from "./request-body.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { ServerFiles } from "./settings/server-files.ts";
import { startLines } from "./settings/start-lines.ts";
import { Verifiers } from "./verifiers.ts";

/** Milliseconds between two looks at configuration, policies, tokens and break-glass. */
const POLL = 2000;
/** Milliseconds after a signal in which new connections are still taken: who asks learns late that this one stops. */
const LAME_DUCK = 3000;

const UNAUTHORIZED = 401;
/** What any caller can cause, in words. */
const RARE = {
  token: "requests to /v1/verify without a token of server.tokenFiles, answered 401",
  unread: "requests that could not be read",
  unjudged: "objects whose images /admit cannot judge",
  tls: "TLS handshakes that failed: another certificate authority or version, no client certificate, or no TLS at all",
  handshake: "connections that were closed, as their TLS handshake did not end in time",
};

/** `atcr-verify serve`: answers until it is ended. */
export async function serveCommand(
  { config: named }: { readonly config: string | undefined },
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const { environment } = lifecycle;
  const warn = (text: string): void => lifecycle.diagnose(printable(text));
  const failed = (error: unknown): void =>
    lifecycle.diagnose(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const listening: Listening[] = [];
  const queue = new GateQueue();
  const memory = new ServerMemory();
  // Break-glass may be broken at the start already.
  const watched: { metrics?: ServerMetrics; files?: ServerFiles } = {};
  const files = new ServerFiles({
    environment,
    named,
    now: Date.now(),
    report: ({ what, ok }, message) => {
      watched.metrics?.reloaded(what, ok, watched.files?.areValid(what) ?? ok);
      warn(message);
    },
    announce: warn,
    warn: ({ code, message }) => warn(`warning ${code}: ${message}`),
  });
  const { server: settings } = files.config;
  const metrics = new ServerMetrics({
    version: BUILD,
    gates: judgingGates(settings),
    queue: (gate) => queue.of(gate),
    connections: () => listening.reduce((sum, one) => sum + one.open(), 0),
    certificateUntil: () => firstOf(listening.map((one) => one.certificateUntil())),
    breakGlassUntil: () => files.breakGlassUntil(Date.now()),
    remembered: () => ({ ...memory.sizes }),
  });
  watched.files = files;
  watched.metrics = metrics;
  for (const { what, ok } of files.states) if (!ok) metrics.reloaded(what, ok, false);
  const verifiers = new Verifiers(files, environment, memory);
  const rare = new RareLines(RARE, warn);
  const judge: Judge = {
    judgingFor: (review) => verifiers.judgingFor(review),
    inPlace: (review, work) =>
      queue.run(review, review.deadline.remaining(), (waited) => {
        metrics.waited(waited);
        return work();
      }),
    answered: (review, answered) => {
      const record = recordOf(review, answered);
      metrics.decided(review.gate, record);
      lifecycle.say(recordLine(record));
    },
    unjudged: (review, problem, isAllowed) => {
      metrics.unjudged(isAllowed);
      rare.note("unjudged", performance.now(), unjudgedText(review, problem, isAllowed));
    },
    warn,
    failed,
  };
  let isStopping = false;
  const server: Server = {
    judge,
    bodies: { admission: new BodyReader(), others: new BodyReader() },
    deadline: () => files.config.deadline,
    tags: () => files.config.server.tags,
    callerOf: (authorization) => files.tokenNameOf(authorization),
    demandsToken: () => files.demandsToken,
    isReady: () => !isStopping,
    metrics: () => metrics.read(),
    answered: (gate, status, ms) => metrics.answered(gate, status, ms),
    refused: (gate, status) => metrics.refused(gate, status),
    unread: (status, what) => {
      if (status === UNAUTHORIZED) rare.note("token", performance.now());
      else rare.note("unread", performance.now(), what);
    },
    failed,
  };
  const certificates = new CertificateReports(
    (isUsed, areAllUsed) => metrics.reloaded("certificate", isUsed, areAllUsed),
    warn,
  );
  const hooks: ListenHooks = {
    count: (event) => {
      metrics.connection(event);
      if (event === "tls_failed") rare.note("tls", performance.now());
      if (event === "handshake_timeout") rare.note("handshake", performance.now());
    },
    reloaded: (...changed) => certificates.report(...changed),
    warn: (text) => certificates.warn(text),
    failed,
  };
  files.poll(Date.now());
  // Without this it would end the process at once, and people who send it want the files read again.
  process.on("SIGHUP", () => {
    warn("SIGHUP: the files are read again");
    files.poll(Date.now());
    for (const one of listening) one.reload();
  });
  for (const listener of settings.listeners)
    listening.push(await listen(listener, appOf(listener.gates, server, hostsOf(listener)), hooks));
  const polling = setInterval(() => {
    files.poll(Date.now());
    rare.flush(performance.now());
  }, POLL);
  const { stateDir } = files.config;
  const unkept = await whyUnusable(stateDir);
  if (unkept !== undefined)
    warn(`warning history.not_written: the signer history cannot be kept in ${stateDir} (stateDir): ${unkept}`);
  const policyOf = (name: string | undefined) => files.current(name)?.policy;
  const started = { config: files.config, policyOf, tokens: files.tokens, hasHistory: unkept === undefined };
  for (const line of startLines(started, `atcr-verify ${VERSION}`)) warn(line);
  // However it ends: a log without this line is that of a server that was killed.
  lifecycle.atEnd(() => lifecycle.diagnose("stopped"));
  return lifecycle.standBy(async (signal) => {
    isStopping = true;
    lifecycle.diagnose(`stopping on ${signal}: what is asked now is still answered`);
    for (const one of listening) one.drain();
    await new Promise((resolve) => setTimeout(resolve, LAME_DUCK));
    await Promise.all(listening.map((one) => one.stop(files.config.deadline)));
    clearInterval(polling);
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
