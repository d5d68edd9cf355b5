import type { ImageReference } from "../../core/oci/reference.ts";
import type { RejectionCode } from "../../core/rejection.ts";
import { HttpFailure, type HttpResponse } from "../../io/net/exchange.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { AuthoriseContext } from "../../io/registry/authorise.ts";
import { type RegistryAnswer, RegistryClient } from "../../io/registry/client.ts";
import type { Endpoint } from "../../io/registry/endpoints.ts";
import { ask, badStatus, hostOf, type RegistryContext, UnavailableError } from "./context.ts";

/** Mirrors that are asked before the registry itself; each may list other referrers. */
export const MAX_MIRRORS = 4;
/** Redirects of a registry that are followed; stops a loop of them. */
export const MAX_REDIRECTS = 5;

/** Limits for a mirror. */
export interface Limits {
  /** Of each request. */
  readonly attempts: number;
  /** By when all requests to it must be answered. */
  readonly share: Deadline;
}

/** No retries at a mirror: the next host follows, and each one gets its share of the time. */
export function limitsAt(mirror: number, mirrors: number, deadline: Deadline): Limits {
  const left = deadline.remaining();
  return { attempts: 1, share: deadline.earlier(left - left / (mirrors - mirror + 1)) };
}

/**
 * A client for one repository at an endpoint.
 *
 * @param actions what a token is asked for
 */
export function registryClient(
  endpoint: Endpoint,
  name: ImageReference,
  context: RegistryContext,
  limits?: Limits,
  actions: AuthoriseContext["actions"] = "pull",
): RegistryClient {
  const { config, registries } = context;
  return new RegistryClient(endpoint, name.path, {
    ask: async (request) => {
      if (limits?.share.remaining() === 0) {
        const what = "used up its share of the time and was not asked again";
        throw new UnavailableError("registry.unreachable", `${hostOf(endpoint.root)} ${what}`);
      }
      try {
        return await ask("registry", request, context, limits?.attempts);
      } catch (error) {
        throw withAdvice(error, endpoint);
      }
    },
    credentials: registries.credentials,
    actions,
    realms: config.registryCredentials.realms,
    isLoginOnly: config.atcrHosts.includes(endpoint.host),
    timeout: () => Math.min(config.registryTimeout, limits?.share.remaining() ?? Number.POSITIVE_INFINITY),
  });
}

/** Why a private address is refused, and what would allow it (endpoints.ts). */
const ADVICE = {
  "named by settings":
    "the name comes from a file, so a registry at a private address is asked only if network.allow, a hosts.toml or the registry credentials name it",
  "network.allow":
    "any program of this machine may ask for this name, so a registry at a private address is asked only if network.allow lists it",
} as const;

/** What to configure where a registry at a private address may not be asked, or speaks no TLS. */
function withAdvice(error: unknown, endpoint: Endpoint): unknown {
  if (!(error instanceof UnavailableError)) return error;
  const { code, message, cause } = error;
  const advice = adviceFor(code, cause, endpoint);
  return advice === undefined ? error : new UnavailableError(code, `${message}; ${advice}`, { cause });
}

function adviceFor(
  code: RejectionCode,
  cause: unknown,
  { mustBePublic, httpEntry, root }: Endpoint,
): string | undefined {
  const failure = cause instanceof HttpFailure ? cause : undefined;
  if (code === "net.forbidden_address") {
    return mustBePublic === undefined || failure?.isRedirected ? undefined : ADVICE[mustBePublic];
  }
  if (httpEntry === undefined || failure?.noTlsAt !== new URL(root).origin) return undefined;
  return `to allow plain http, list ${httpEntry} under network.allow`;
}

/**
 * The endpoint to ask by http, where an endpoint turned out not to speak TLS and http is allowed. Not after other TLS
 * failures: an untrusted host must not be asked in the clear, and a token server's failure is not the registry's.
 */
export function plainInstead(endpoint: Endpoint, failures: readonly Error[]): Endpoint | undefined {
  const { origin } = new URL(endpoint.root);
  const speaksNoTls = failures.some(({ cause }) => cause instanceof HttpFailure && cause.noTlsAt === origin);
  return speaksNoTls ? endpoint.plain : undefined;
}

/**
 * The answer, if its status is 200.
 *
 * @throws UnavailableError registry.unauthorized, registry.unreachable, registry.bad_response
 */
export function accepted({ response, tried, isBusy, said, host }: RegistryAnswer): HttpResponse {
  if (response.status === 200) return response;
  if (response.status === 401 || response.status === 403) {
    const detail = `${host} requires credentials (status ${response.status})`;
    const code = isBusy === true ? "registry.unreachable" : "registry.unauthorized";
    throw new UnavailableError(code, `${detail}${tried === undefined ? "" : `: ${tried}`}${said}`);
  }
  badStatus("registry", response, said, host);
}
