import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { cut } from "../../core/admission/answer-text.ts";
import type { GateName } from "../../core/config/server-settings.ts";
import { Rejection } from "../../core/rejection.ts";
import { deadlineOf, type TimedPath } from "./deadline-of.ts";
import { whyForeign } from "./foreign-request.ts";
import { admit, mutate } from "./gates/admit.ts";
import type { Gate, GateReply, GateRequest } from "./gates/gate.ts";
import { gatekeeperMutate, gatekeeperVerify } from "./gates/gatekeeper.ts";
import { imageReview } from "./gates/image-policy.ts";
import { verifyOne, verifySeveral } from "./gates/verify.ts";
import type { Judge } from "./judge-review.ts";
import { type BodyReader, MAX_QUESTION_BODY, MAX_REVIEW_BODY } from "./request-body.ts";

type App = Hono<{ Bindings: HttpBindings }>;
type Request = Context<{ Bindings: HttpBindings }>;

/** What the paths of all listeners share. */
export interface Server {
  readonly judge: Judge;
  /** Each with memory of its own, so that no other gate takes that of admission. */
  readonly bodies: { readonly admission: BodyReader; readonly others: BodyReader };
  /** Milliseconds that an answer may take, as configured now. */
  readonly deadline: () => number;
  readonly tags: () => "refuse" | "resolve-unpinned";
  /**
   * The name of the token of an `Authorization` field, for the log.
   *
   * @returns undefined where it is none of the configured ones
   */
  readonly callerOf: (authorization: string | undefined) => string | undefined;
  /** Whether tokens are demanded. */
  readonly demandsToken: () => boolean;
  readonly isReady: () => boolean;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Called once for each answered request. @param ms from its first byte */
  readonly answered: (gate: GateName, status: number, ms: number) => void;
  /** Called for each request whose path or method is none of the listener's. @param gate `none` where no gate has the path */
  readonly refused: (gate: GateName | "none", status: number) => void;
  /** Called for each request that is answered without being judged, 401 too. @param what it was, attacker-controlled */
  readonly unread: (status: number, what: string) => void;
  /** Reports an error that is a bug. */
  readonly failed: (error: unknown) => void;
}

interface Path {
  readonly gate: GateName;
  readonly asked?: TimedPath;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly answer: Gate;
  /** Whether names without a digest are resolved here whatever the configuration says. */
  readonly resolves?: true;
}

interface OpenPath {
  readonly gate: GateName;
  readonly path: string;
  readonly answer: (request: Request, server: Server) => Response | Promise<Response>;
}

/** The paths that judge. */
const PATHS: readonly Path[] = [
  { gate: "admit", method: "POST", path: "/admit/:policy?", answer: admit },
  { gate: "mutate", method: "POST", path: "/mutate/:policy?", answer: mutate, resolves: true },
  {
    gate: "gatekeeper",
    asked: "gatekeeper/verify",
    method: "POST",
    path: "/gatekeeper/verify",
    answer: gatekeeperVerify,
  },
  {
    gate: "gatekeeper",
    asked: "gatekeeper/mutate",
    method: "POST",
    path: "/gatekeeper/mutate",
    answer: gatekeeperMutate,
    resolves: true,
  },
  { gate: "verify", method: "GET", path: "/v1/verify", answer: verifyOne, resolves: true },
  { gate: "verify", method: "POST", path: "/v1/verify", answer: verifySeveral, resolves: true },
  { gate: "imagereview", method: "POST", path: "/imagereview", answer: imageReview },
];

/** The paths that say how the server does; their requests are not counted. */
const OPEN_PATHS: readonly OpenPath[] = [
  { gate: "health", path: "/healthz", answer: (request) => request.text("ok\n") },
  {
    gate: "health",
    path: "/readyz",
    answer: (request, { isReady }) => (isReady() ? request.text("ok\n") : request.text("not ready\n", 503)),
  },
  {
    gate: "metrics",
    path: "/metrics",
    answer: async (request, { metrics }) => {
      const { contentType, text } = await metrics();
      return request.body(text, 200, { "content-type": contentType });
    },
  },
];

const maxBodyOf = (gate: GateName): number =>
  gate === "admit" || gate === "mutate" ? MAX_REVIEW_BODY : MAX_QUESTION_BODY;
const bodiesOf = (gate: GateName, { bodies }: Server): BodyReader =>
  maxBodyOf(gate) === MAX_REVIEW_BODY ? bodies.admission : bodies.others;
/** Longest path in a line of the log, characters; and all that the line says of the request. */
const MAX_PATH = 100;
const MAX_UNREAD = 300;
const NO_BODY = new Uint8Array();

/**
 * What a listener answers: the paths of its gates, and 404 for all others.
 *
 * @param hosts one of which a request that is judged must name, and be none of a web page; absent: any
 */
export function appOf(
  gates: readonly GateName[],
  server: Server,
  hosts?: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => void {
  const app: App = new Hono();
  const served = PATHS.filter(({ gate }) => gates.includes(gate));
  for (const path of served) app.on(path.method, path.path, (request) => answerTo(request, path, server, hosts));
  for (const { path, gate } of served) {
    const allowed = served.flatMap((one) => (one.path === path ? one.method : [])).join(", ");
    app.all(path, (request) => {
      request.header("Allow", allowed);
      server.refused(gate, 405);
      return unread(request, server, { status: 405, why: `expected the method ${allowed}` });
    });
  }
  const open = OPEN_PATHS.filter(({ gate }) => gates.includes(gate));
  for (const { path, answer } of open) {
    app.get(path, (request) => answer(request, server));
    app.all(path, (request) => {
      request.header("Allow", "GET");
      return unread(request, server, { status: 405, why: "expected the method GET" });
    });
  }
  const paths = new Set([...served, ...open].map(({ path }) => path.replace("/:policy?", "")));
  app.notFound((request) => {
    server.refused("none", 404);
    return unread(request, server, {
      status: 404,
      why: `nothing is answered here; this address has ${[...paths].join(", ")}`,
    });
  });
  app.onError((error, request) => {
    server.failed(error);
    const detail = "the request could not be answered; please report this";
    return inJson(request, problem(500, "internal.error", detail));
  });
  return getRequestListener(app.fetch, { overrideGlobalObjects: false }) as ReturnType<typeof appOf>;
}

async function answerTo(
  request: Request,
  path: Path,
  server: Server,
  hosts: readonly string[] | undefined,
): Promise<Response> {
  const began = performance.now();
  const { gate } = path;
  const foreign = hosts && whyForeign(request.env.incoming.headers, hosts);
  const response =
    foreign === undefined
      ? await answerInForm(request, path, server, began)
      : unread(request, server, { status: 403, why: foreign });
  server.answered(gate, response.status, performance.now() - began);
  return response;
}

async function answerInForm(request: Request, path: Path, server: Server, began: number): Promise<Response> {
  const { gate, asked = gate, method, answer, resolves } = path;
  const { incoming, outgoing } = request.env;
  // Before anything else is read or done.
  const caller = gate === "verify" ? server.callerOf(incoming.headers.authorization) : undefined;
  if (gate === "verify" && server.demandsToken() && caller === undefined) {
    request.header("WWW-Authenticate", "Bearer");
    const why = "expected Authorization: Bearer SECRET with a secret of server.tokenFiles";
    return unread(request, server, { status: 401, why });
  }
  const query = new URL(request.req.url).searchParams;
  const deadline = deadlineOf(asked, began, server.deadline(), query.get("timeout"));
  const body =
    method === "GET"
      ? NO_BODY
      : await bodiesOf(gate, server).read(incoming, outgoing, maxBodyOf(gate), deadline.remaining());
  if ("status" in body) return unread(request, server, body);
  try {
    const policy = request.req.param("policy");
    const unpinned = resolves || server.tags() === "resolve-unpinned" ? "resolve" : "refuse";
    const given: GateRequest = { body, policy, query, caller, deadline, unpinned };
    const reply = await answer(given, server.judge);
    if (reply.unread !== undefined) noteUnread(request, server, reply.status, reply.unread);
    return inJson(request, reply);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { code, message: why } = error;
    return unread(request, server, { status: 400, why }, code);
  }
}

function inJson(request: Request, { status, json }: GateReply): Response {
  return request.json(json, status as 200, { "cache-control": "no-store" });
}

interface Unread {
  readonly status: number;
  readonly why: string;
}

function unread(request: Request, server: Server, { status, why }: Unread, code = "input.malformed"): Response {
  noteUnread(request, server, status, why);
  return inJson(request, problem(status, code, why));
}

function noteUnread({ req }: Request, server: Server, status: number, why: string): void {
  server.unread(status, cut(`${status} ${req.method} ${cut(req.path, MAX_PATH)}: ${why}`, MAX_UNREAD));
}

function problem(status: number, code: string, detail: string): GateReply {
  return { status, json: { error: { code, detail } } };
}
