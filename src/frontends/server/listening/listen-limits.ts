import type { GateName } from "../../../core/config/server-settings.ts";
import type { ConnectionLimits } from "./connections.ts";
import type { MinimalTls } from "./tls-front.ts";

/**
 * Connections of a listener that serves admission, and of another. Each listener has its own, so that those of one never take the
 * places of another. An API server opens a connection for each request at one time, and keeps them.
 */
const MAX_CONNECTIONS = 1024;
const MAX_OTHER_CONNECTIONS = 128;
const ADMISSION: ReadonlySet<GateName> = new Set(["admit", "mutate", "imagereview"]);
/** Milliseconds from a connection to the end of its handshake. Stops clients that send slowly, or nothing. */
const MAX_HANDSHAKE_TIME = 10_000;
/** Milliseconds from the first byte of a request to the end of its header. Stops clients that send slowly. */
const MAX_HEADER_TIME = 5000;
/** Milliseconds until the first request: clients written in Go open connections that they may need later. */
const MAX_FIRST_TIME = 30_000;
/** Milliseconds between two requests. Clients written in Go keep a connection for 90 s: it is them who must end it. */
const MAX_IDLE_TIME = 120_000;
/** Milliseconds of an answer, above any deadline. Stops what goes wrong here from holding connections. */
const MAX_ANSWER_TIME = 60_000;
/** Milliseconds until the client has taken an answer. Stops clients that do not read. */
const MAX_TAKEN_TIME = 10_000;
/** Milliseconds between two looks at the connections. */
const SWEEP = 1000;
/** Milliseconds between two looks at the certificate's files. */
const POLL = 1000;

export interface ListenLimits extends ConnectionLimits {
  /** Milliseconds between two looks at the certificate's files. */
  readonly poll: number;
}

/** @param gates that the listener serves */
export function limitsFor(gates: readonly GateName[]): ListenLimits {
  return {
    connections: gates.some((gate) => ADMISSION.has(gate)) ? MAX_CONNECTIONS : MAX_OTHER_CONNECTIONS,
    handshake: MAX_HANDSHAKE_TIME,
    header: MAX_HEADER_TIME,
    first: MAX_FIRST_TIME,
    idle: MAX_IDLE_TIME,
    answer: MAX_ANSWER_TIME,
    taken: MAX_TAKEN_TIME,
    sweep: SWEEP,
    poll: POLL,
  };
}

/**
 * Gatekeeper speaks 1.3 at least. Clients written in Go do so too, but not where they were built for FIPS with a Go older
 * than 1.24: that knows 1.2 only.
 *
 * @param gates that the listener serves
 */
export function minimalTls(gates: readonly GateName[]): MinimalTls {
  return gates.every((gate) => gate === "gatekeeper") ? "TLSv1.3" : "TLSv1.2";
}
