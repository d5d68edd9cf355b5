import { field, isJsonObject, parseJson } from "../../core/encoding/json.ts";
import { type Challenge, readChallenges } from "../../core/oci/challenge.ts";
import type { Credential } from "../../core/oci/docker-config.ts";
import { errorWords } from "../../core/oci/error-body.ts";
import { hostAndPort } from "../net/address-guard.ts";
import type { HttpRequest, HttpResponse, Sent } from "../net/exchange.ts";
import { nameHost, quotePeer } from "../net/quote-peer.ts";
import type { CredentialSource, FoundCredential, LookUp } from "./credentials.ts";
import type { Endpoint } from "./endpoints.ts";

/** Bytes of a token server's answer: a token has some kilobytes. */
const MAX_TOKEN_ANSWER = 64 * 1024;
/** A token is put into a header unchanged. */
const TOKEN = /^[\x21-\x7e]+$/;
const CLIENT_ID = "atcr-verify";
/** Redirects of a token server that are followed, all within its origin. */
const MAX_REDIRECTS = 3;

export interface AuthoriseContext {
  /** Sends a request once; throws where there is no answer. */
  readonly ask: (request: HttpRequest) => Promise<HttpResponse>;
  readonly credentials: CredentialSource;
  /** What a token is asked for. Only `attach` pushes. */
  readonly actions: "pull" | "pull,push";
  /** By registry host: other hosts that may receive its password. */
  readonly realms: ReadonlyMap<string, readonly string[]>;
  /** Whether the registry serves nobody without a login, as ATCR does. */
  readonly isLoginOnly: boolean;
  /** Most milliseconds for the next request. */
  readonly timeout: () => number;
}

/** The Authorization header, and what was tried, for the reason of a refusal, without secrets. */
export interface Authorisation {
  readonly header?: string;
  readonly tried: string;
  /** The token server was busy, so access was not denied. */
  readonly isBusy?: true;
  /** What no message may repeat: the credential. */
  readonly sent?: readonly Sent[];
}

/**
 * Answers a registry's challenge (spec 4): with a token for the context's actions on only this repository, whatever the
 * challenge asks for, or with user and password. A password is sent only to the registry's own host and port, and to hosts that the
 * administrator lists for it.
 *
 * @param header WWW-Authenticate, attacker-controlled
 * @param repository the path after `/v2/` at this endpoint
 */
export async function authorise(
  header: string | undefined,
  endpoint: Endpoint,
  repository: string,
  context: AuthoriseContext,
): Promise<Authorisation> {
  const challenges = readChallenges(header);
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  const basic = challenges.find(({ scheme }) => scheme === "basic");
  if (bearer === undefined && basic === undefined)
    return { tried: "it offers neither Bearer nor Basic authentication" };
  const { host } = endpoint;
  const lookUp = await context.credentials({ host, path: repository, timeout: context.timeout() });
  const { found, problems } = lookUp;
  const answer = await answerTo({ bearer, found, endpoint, repository, context });
  return { ...answer, tried: [answer.tried, ...problems, ...adviceOn(lookUp, host, context)].join("; ") };
}

/** Where credentials were looked for in vain, and what to do. */
function adviceOn({ searched }: LookUp, host: string, { isLoginOnly }: AuthoriseContext): readonly string[] {
  if (searched === undefined) return [];
  const why = isLoginOnly ? [`every pull from ${host} needs a login: a handle and an app password`] : [];
  const how = `log in with "docker login ${host}", or list a file with the credentials under registryCredentials.files`;
  return [searched, ...why, how];
}

interface Asked {
  /** Absent where the registry itself takes a password. */
  readonly bearer: Challenge | undefined;
  readonly found: FoundCredential | undefined;
  readonly endpoint: Endpoint;
  readonly repository: string;
  readonly context: AuthoriseContext;
}

async function answerTo({ bearer, found, endpoint, repository, context }: Asked): Promise<Authorisation> {
  if (found?.credential.kind === "registry token") {
    return { header: `Bearer ${found.credential.token}`, tried: `with the registry token from ${found.from}` };
  }
  if (bearer !== undefined) return tokenFor(bearer, found, endpoint, repository, context);
  if (found?.credential.kind !== "password") return { tried: "no password for it was found" };
  return { header: basicHeader(found.credential), tried: `with the password from ${found.from}` };
}

async function tokenFor(
  { parameters }: Challenge,
  found: FoundCredential | undefined,
  endpoint: Endpoint,
  repository: string,
  context: AuthoriseContext,
): Promise<Authorisation> {
  const named = URL.parse(parameters.get("realm") ?? "");
  if (named === null) return { tried: "its challenge names no token server" };
  const { headers } = endpoint;
  // A registry that received the credential in another pull may repeat it now.
  const sent = [...(headers ? [{ headers }] : []), ...(found ? [asSent(found.credential)] : [])];
  const realm = overTls(named, endpoint);
  const isOwn = realm.protocol === new URL(endpoint.root).protocol && isSameHost(realm, endpoint);
  const isListed = (context.realms.get(endpoint.host) ?? []).some(
    (host) => host === realm.hostname || host === hostAndPort(realm),
  );
  const mayHaveSecret = isOwn || (isListed && realm.protocol === "https:");
  const given = mayHaveSecret ? found : undefined;
  const host = isOwn ? realm.host : nameHost(realm, sent);
  const withheld =
    found !== undefined && given === undefined
      ? `; the credential from ${found.from} is not sent to ${host}: to send it, list that host under registryCredentials.realms for ${endpoint.host}`
      : "";
  const who = given === undefined ? `anonymously${withheld}` : `with the ${given.credential.kind} from ${given.from}`;
  const scope = `repository:${repository}:${context.actions}`;
  const service = parameters.get("service");
  const response = await askForToken(realm, { scope, ...(service && { service }) }, given?.credential, {
    ...context,
    // The registry may be at a private address, and so may its own token server.
    mayBePrivate: isOwn && endpoint.mustBePublic === undefined,
    tls: isOwn ? endpoint.tls : undefined,
    secrets: sent,
    isNamedByPeer: !isOwn,
  });
  const token = response.status === 200 ? readToken(response.body) : undefined;
  if (token !== undefined) {
    return { header: `Bearer ${token}`, tried: `with a token from ${host}, requested ${who}`, sent };
  }
  const isBusy = response.status === 429 || response.status >= 500;
  const quoted = response.status === 200 ? undefined : quotePeer(errorWords(response.body), sent);
  const said = quoted === undefined ? "" : `: it says ${quoted}`;
  const tried = `the token server ${host} issued no token (status ${response.status}), requested ${who}${said}`;
  return { tried, sent, ...(isBusy && { isBusy }) };
}

interface TokenQuestion extends AuthoriseContext {
  readonly mayBePrivate: boolean;
  readonly tls: Endpoint["tls"] | undefined;
  readonly secrets: readonly Sent[];
  readonly isNamedByPeer: boolean;
}

async function askForToken(
  realm: URL,
  question: Readonly<Record<string, string>>,
  credential: Credential | undefined,
  { ask, timeout, mayBePrivate, tls, secrets, isNamedByPeer }: TokenQuestion,
): Promise<HttpResponse> {
  const base = {
    accept: "application/json",
    maxBytes: MAX_TOKEN_ANSWER,
    timeout: timeout(),
    maxRedirects: MAX_REDIRECTS,
    staysAtOrigin: true as const,
    originMayBePrivate: mayBePrivate,
    ...(tls && { tls }),
    secrets,
    ...(isNamedByPeer && { isNamedByPeer }),
    purpose: "token server",
  };
  if (credential?.kind === "identity token") {
    const form = { grant_type: "refresh_token", refresh_token: credential.token, client_id: CLIENT_ID, ...question };
    return ask({ ...base, url: realm.href, form });
  }
  const url = new URL(realm.href);
  for (const [name, value] of Object.entries(question)) url.searchParams.set(name, value);
  return ask({ ...base, url: url.href, ...(credential?.kind === "password" && asSent(credential)) });
}

/** The secret of a credential; other form fields are not secret. */
function asSent(credential: Credential): Sent {
  if (credential.kind === "password") return { headers: { Authorization: basicHeader(credential) } };
  return { form: { token: credential.token } };
}

/** @param bytes attacker-controlled JSON */
function readToken(bytes: Uint8Array): string | undefined {
  let answer: unknown;
  try {
    answer = parseJson(bytes, "registry.bad_response", "the token server's answer");
  } catch {
    return undefined;
  }
  if (!isJsonObject(answer)) return undefined;
  const token = [field(answer, "token"), field(answer, "access_token")].find((value) => typeof value === "string");
  return typeof token === "string" && TOKEN.test(token) ? token : undefined;
}

/**
 * A registry behind a TLS-terminating proxy may name its own token server with http. It is asked by https, if the realm
 * has the registry's port or none.
 */
function overTls(realm: URL, { root }: Endpoint): URL {
  const own = new URL(root);
  const isOwnName = realm.hostname === own.hostname && (realm.port === "" || realm.port === own.port);
  if (own.protocol !== "https:" || realm.protocol !== "http:" || !isOwnName) return realm;
  const secure = new URL(realm.href);
  secure.protocol = "https:";
  return secure;
}

function isSameHost(realm: URL, { root }: Endpoint): boolean {
  return hostAndPort(realm) === hostAndPort(new URL(root));
}

function basicHeader({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
