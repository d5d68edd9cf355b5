import type { GateName } from "../../core/config/server-settings.ts";
import { REJECTIONS } from "../../core/rejection.ts";
import type { DecisionRecord } from "../../io/log/decision-record.ts";
import { CONNECTION_EVENTS, type ConnectionEvent } from "./listening/connections.ts";
import { MetricRegistry } from "./metric-registry.ts";

/** What is read again while the server runs. */
const RELOADED = ["configuration", "policy", "certificate", "tokens", "break_glass"] as const;
export type Reloaded = (typeof RELOADED)[number];

/** Statuses of answers; any other one is `other`. */
const STATUSES: ReadonlySet<number> = new Set([200, 400, 401, 403, 404, 405, 408, 413, 415, 500, 503]);
/** Services as {@link DecisionRecord} names them. */
const SERVICES = ["registry", "token_server", "directory", "did_web_host", "handle", "pds"] as const;
const CACHE_USES = ["none", "fresh", "stale", "bundle"] as const;
const ALLOWS = ["signed", "exempt", "audited", "break_glass"] as const;
/** The gates that know a namespace they can trust, without which there is no break-glass. */
const OF_NAMESPACES: ReadonlySet<GateName> = new Set(["admit", "imagereview"]);
/** The gates that resolve a name without a digest, and so refuse none for that. */
const RESOLVING: ReadonlySet<GateName> = new Set(["mutate", "verify"]);
const SECOND = 1000;
const MICROSECONDS = 1e6;

/** What is looked up when the metrics are read. */
export interface MetricSources {
  readonly version: string;
  /** Those that judge. */
  readonly gates: readonly GateName[];
  /** Requests of a gate that are worked on, and that wait. */
  readonly queue: (gate: GateName) => { readonly running: number; readonly waiting: number };
  /** Connections that are open. */
  readonly connections: () => number;
  /** End of the certificate that ends first, milliseconds since 1970; undefined where there is none. */
  readonly certificateUntil: () => number | undefined;
  /** End of the active break-glass, milliseconds since 1970; undefined where none is active. */
  readonly breakGlassUntil: () => number | undefined;
  /** How many things are remembered, by fixed words. */
  readonly remembered: () => Readonly<Record<string, number>>;
}

/**
 * What the server counts. Labels have values of closed sets only: no image, host, signer, namespace or user, so that a caller
 * can neither fill the memory nor read here what others ask.
 */
export class ServerMetrics {
  readonly #registry = new MetricRegistry();
  readonly #requests = this.#registry.counter("requests_total", "Answered requests.", "gate", "status");
  readonly #durations = this.#registry.histogram(
    "request_duration_seconds",
    "Time from a request's header to its answer.",
    "gate",
  );
  readonly #decisions = this.#registry.counter(
    "decisions_total",
    "Decisions on images, by outcome and code; the code of an allow is signed, exempt, audited or break_glass.",
    "gate",
    "outcome",
    "code",
  );
  readonly #audited = this.#registry.counter(
    "audited_refusals_total",
    "Images allowed only because their rule audits, by the code under enforce.",
    "gate",
    "code",
  );
  readonly #unjudged = this.#registry.counter(
    "unjudged_total",
    "Objects whose images the gate admit cannot judge, which are in no decision: refused, or audited.",
    "result",
  );
  readonly #cache = this.#registry.counter(
    "cache_total",
    "Decisions on images, by evidence that was not fetched now: none, fresh, stale or bundle.",
    "cache",
  );
  readonly #stages = this.#registry.histogram(
    "stage_duration_seconds",
    "Time in the queue, to judge one image, and of that for the requests to each service.",
    "stage",
  );
  readonly #events = this.#registry.counter(
    "connection_events_total",
    "Connections that were accepted or refused, or ended because of what their client did.",
    "event",
  );
  readonly #reloads = this.#registry.counter("reloads_total", "Changed files that were read again.", "what", "result");
  readonly #isCurrent = this.#registry.gauge(
    "last_reload_successful",
    "1 where the files as they are now are in use, 0 where they cannot be read.",
    "what",
  );

  constructor(sources: MetricSources) {
    this.#begin(sources.gates);
    this.#lookUp(sources);
    this.#ofProcess(sources.version);
  }

  /** A request was answered. @param ms from its header to its answer */
  answered(gate: GateName, status: number, ms: number): void {
    this.refused(gate, status);
    this.#durations.observe({ gate }, ms / SECOND);
  }

  /** A request was answered of which nothing was read but its header. @param gate `none` where its path is that of none */
  refused(gate: GateName | "none", status: number): void {
    this.#requests.inc({ gate, status: STATUSES.has(status) ? String(status) : "other" });
  }

  /** An image of a request was judged. */
  decided(gate: GateName, { outcome, code, would, cache, ms }: DecisionRecord): void {
    this.#decisions.inc({ gate, outcome, code });
    if (code === "audited" && would !== undefined) this.#audited.inc({ gate, code: would.code });
    this.#cache.inc({ cache });
    this.#stages.observe({ stage: "judge" }, (ms["total"] ?? 0) / SECOND);
    for (const stage of SERVICES) {
      const time = ms[stage];
      if (time !== undefined) this.#stages.observe({ stage }, time / SECOND);
    }
  }

  /** The images of an object could not be judged. */
  unjudged(isAllowed: boolean): void {
    this.#unjudged.inc({ result: isAllowed ? "audited" : "refused" });
  }

  /** A request got a place in the queue. */
  waited(ms: number): void {
    this.#stages.observe({ stage: "queue" }, ms / SECOND);
  }

  connection(event: ConnectionEvent): void {
    this.#events.inc({ event });
  }

  /** Files changed. @param isUsed whether they could be read @param areAllUsed whether all of their kind can */
  reloaded(what: Reloaded, isUsed: boolean, areAllUsed = isUsed): void {
    this.#reloads.inc({ what, result: isUsed ? "ok" : "failed" });
    this.#isCurrent.set({ what }, areAllUsed ? 1 : 0);
  }

  /** All, in Prometheus' text format. */
  read(): Promise<{ readonly contentType: string; readonly text: string }> {
    return this.#registry.read();
  }

  /** Prometheus' `increase` does not see a counter that first appears as 1, so no alert would fire for the first event. */
  #begin(gates: readonly GateName[]): void {
    this.#requests.inc({ gate: "none", status: "404" }, 0);
    for (const gate of gates) {
      for (const status of [...STATUSES, "other"]) this.#requests.inc({ gate, status }, 0);
      const allows = allowsOf(gate);
      const refusals = Object.entries(REJECTIONS)
        .filter(([code]) => code !== "image.not_pinned" || !RESOLVING.has(gate))
        .map(([code, { kind }]) => [kind, code] as const);
      for (const [outcome, code] of [...allows, ...refusals]) this.#decisions.inc({ gate, outcome, code }, 0);
      for (const [kind, code] of allows.length > 0 ? refusals : []) {
        if (kind === "deny" || kind === "inconclusive") this.#audited.inc({ gate, code }, 0);
      }
      this.#durations.zero({ gate });
    }
    for (const result of gates.includes("admit") ? ["refused", "audited"] : []) this.#unjudged.inc({ result }, 0);
    for (const cache of CACHE_USES) this.#cache.inc({ cache }, 0);
    for (const stage of ["queue", "judge", ...SERVICES]) this.#stages.zero({ stage });
    for (const event of CONNECTION_EVENTS) this.#events.inc({ event }, 0);
    for (const what of RELOADED) {
      for (const result of ["ok", "failed"]) this.#reloads.inc({ what, result }, 0);
      this.#isCurrent.set({ what }, 1);
    }
  }

  #lookUp({ gates, queue, connections, certificateUntil, breakGlassUntil, remembered }: MetricSources): void {
    const byGate = (part: "running" | "waiting") => () =>
      Object.fromEntries(gates.map((gate) => [gate, queue(gate)[part]]));
    const registry = this.#registry;
    registry.lookedBy("gate", "requests_in_place", "Requests that are worked on.", byGate("running"));
    registry.lookedBy("gate", "requests_waiting", "Requests that wait for that.", byGate("waiting"));
    registry.lookedBy("what", "remembered", "Things kept in memory between requests, by kind.", remembered);
    const own = (name: string, help: string, look: () => number | undefined): void =>
      registry.looked("gauge", `atcr_verify_server_${name}`, help, look);
    own("connections", "Connections that are open.", connections);
    own("certificate_expiry_timestamp_seconds", "End of the certificate in use that ends first.", () =>
      inSeconds(certificateUntil()),
    );
    own("break_glass_until_timestamp_seconds", "End of the active break-glass; 0 if it is not active.", () =>
      inSeconds(breakGlassUntil() ?? 0),
    );
  }

  /** By the names that other programs use, too. */
  #ofProcess(version: string): void {
    const registry = this.#registry;
    const start = Date.now() - process.uptime() * SECOND;
    registry.looked("gauge", "process_start_time_seconds", "Start of the process.", () => inSeconds(start));
    registry.looked("gauge", "process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss());
    registry.looked("counter", "process_cpu_seconds_total", "CPU time of user and system.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / MICROSECONDS;
    });
    registry.build(version);
  }
}

/** What a gate can allow by: `mutate` counts only what it could not pin. */
function allowsOf(gate: GateName): readonly (readonly [outcome: string, code: string])[] {
  if (gate === "mutate") return [];
  const codes = OF_NAMESPACES.has(gate) ? ALLOWS : ALLOWS.filter((code) => code !== "break_glass");
  return codes.map((code) => ["allow", code] as const);
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / SECOND;
}
