import { isJsonObject, type JsonObject, parseJson } from "../../core/encoding/json.ts";
import { Rejection } from "../../core/rejection.ts";
import { VERSION } from "../../core/version.ts";
import { hostAndPort } from "../../io/net/address-guard.ts";
import { Authorities } from "../../io/net/authorities.ts";
import type { HttpClient, HttpRequest, PemFile, Upload } from "../../io/net/exchange.ts";
import { createHttpClient } from "../../io/net/http.ts";
import { proxiesOf } from "../../io/net/proxy.ts";
import { readSystemRoots } from "../../io/net/system-roots.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { Environment } from "../../io/process/environment.ts";

/** Bytes of one answer. A list of ten thousand namespaces has about 10 MiB. */
const MAX_ANSWER = 32 * 1024 * 1024;
/** Milliseconds for one request: the API server waits for each webhook up to 30 s. */
const TIMEOUT = 35_000;

/** How to reach an API server, and the credentials to show. */
export interface ClusterAccess {
  /** `https://HOST:PORT` with an optional path, or `http://` for loopback; without a slash at the end. */
  readonly server: string;
  /** Replaces the system's certificate authorities. */
  readonly authority?: PemFile;
  readonly skipVerify: boolean;
  /** PEM texts. */
  readonly client?: { readonly cert: string; readonly key: string };
  readonly token?: string;
  /** `http://HOST:PORT`; absent: by the environment's variables. */
  readonly proxy?: string;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Path and query. */
  readonly path: string;
  readonly body?: unknown;
}

export interface ApiAnswer {
  readonly status: number;
  /** Absent where the body is no JSON object. */
  readonly json?: JsonObject;
}

/** Sends one request. @throws HttpFailure where there is no answer */
export type AskApi = (request: ApiRequest) => Promise<ApiAnswer>;

/** A client for one API server, by the program's own HTTP client: no redirect is followed, and nothing is retried. */
export function apiClient(access: ClusterAccess, environment: Environment, deadline: Deadline): AskApi {
  const host = hostAndPort(new URL(access.server));
  const { authority } = access;
  const http = createHttpClient({
    version: VERSION,
    allow: { cidrs: [], hosts: [host], plainHttp: access.server.startsWith("http:") ? [host] : [] },
    proxies:
      access.proxy === undefined
        ? proxiesOf(undefined, environment)
        : { https: access.proxy, http: access.proxy, noProxy: [], from: "proxy-url of the kubeconfig" },
    // As in kubectl, the cluster's own authority is the only one.
    authorities: new Authorities(
      () => (authority === undefined ? readSystemRoots(environment) : { files: [authority], problems: [] }),
      [],
    ),
    skipVerify: access.skipVerify ? [host] : [],
    warn: () => {},
  });
  return (request) => send(request, access, http, deadline);
}

async function send(
  { method, path, body }: ApiRequest,
  { server, client, token, skipVerify }: ClusterAccess,
  http: HttpClient,
  deadline: Deadline,
): Promise<ApiAnswer> {
  const upload: Upload | undefined =
    method === "GET" ? undefined : { method, bytes: Buffer.from(JSON.stringify(body)), type: "application/json" };
  const request: HttpRequest = {
    url: `${server}${path}`,
    accept: "application/json",
    maxBytes: MAX_ANSWER,
    timeout: TIMEOUT,
    maxRedirects: 0,
    originMayBePrivate: true,
    ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
    ...(upload && { upload }),
    tls: { ...(client && { client }), ...(skipVerify && { skipVerify }) },
    purpose: "API server",
  };
  const answer = await http(request, deadline);
  const json = jsonIn(answer.body);
  return { status: answer.status, ...(json && { json }) };
}

function jsonIn(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseJson(bytes, "internal.error", "the answer");
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return undefined;
  }
}
