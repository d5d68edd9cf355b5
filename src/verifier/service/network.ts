import type { Config } from "../../core/config/config.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import { reject } from "../../core/rejection.ts";
import { VERSION } from "../../core/version.ts";
import type { Warn } from "../../core/warning.ts";
import { readTrustedFile } from "../../io/fs/local-file.ts";
import { Authorities } from "../../io/net/authorities.ts";
import type { HttpClient, PemFile } from "../../io/net/exchange.ts";
import type { HttpSettings } from "../../io/net/hop.ts";
import { createHttpClient } from "../../io/net/http.ts";
import { proxiesOf } from "../../io/net/proxy.ts";
import { readSystemRoots } from "../../io/net/system-roots.ts";
import { createTxtLookup, type TxtLookup } from "../../io/net/txt.ts";
import type { Environment } from "../../io/process/environment.ts";
import { credentialSource, namesHost } from "../../io/registry/credentials.ts";
import { endpointsOf } from "../../io/registry/endpoints.ts";
import { CacheKey } from "../../io/store/cache-key.ts";
import type { FreshIdentities, RegistryContext } from "../collect/context.ts";
import type { Batch } from "./batch.ts";
import type { DecideContext } from "./gather-and-judge.ts";
import { NO_STORES } from "./no-stores.ts";
import { openStores, type Stores, StoreWarnings } from "./open-stores.ts";
import { QuestionLocks } from "./question-locks.ts";
import type { Session } from "./session.ts";

/** Milliseconds before the first retry of a request; doubled each time. */
const PAUSE = 200;
/** Fraction of the remaining time to wait for another process that fetches the same identity. */
const WAIT_SHARE = 5 / 8;

/** Network access as configured; shared by all verifications of a verifier. */
export interface Network {
  /**
   * @param warn receives the warnings of one verification, repeated at each request
   * @param joined called with the purpose of a request that is not sent, as another verification has the same under way
   * @param asker as in Session
   */
  readonly http: (warn: Warn, joined?: (purpose: string) => void, asker?: string) => HttpClient;
  readonly txt: TxtLookup;
  /** The environment the process was started with. */
  readonly environment: Environment;
}

/** @throws Rejection config.invalid */
export function openNetwork(config: Config, environment: Environment): Network {
  const settings = httpSettings(config, environment);
  return {
    http: (warn) => createHttpClient({ ...settings, warn }),
    txt: createTxtLookup(),
    environment,
  };
}

/**
 * Proxies, and the certificate authorities that are trusted for a host.
 *
 * @throws Rejection config.invalid
 */
export function httpSettings(config: Config, environment: Environment): HttpSettings {
  const configured = config.caFiles.map(readAuthorities);
  return {
    version: VERSION,
    allow: config.network,
    proxies: proxiesOf(config.proxy, environment),
    authorities: new Authorities(() => readSystemRoots(environment), configured),
    skipVerify: config.skipVerify,
  };
}

/** The context of one verification that uses the network. */
export function collectContext(
  config: Config,
  network: Network,
  session: Session,
  stores: Stores,
  locks: QuestionLocks,
  batch?: Batch,
): DecideContext {
  const stored = config.cacheEnabled ? cachedIdentities(stores, session, locks) : undefined;
  const identities = batch === undefined ? stored : batch.identities(stored);
  return {
    ...registryContext(config, network, session),
    ...stores,
    txt: session.requestLog?.recordedTxt(network.txt) ?? network.txt,
    ...(identities && { identities }),
    ...(batch && { isBatch: true, checkedCommits: batch.checkedCommits }),
  };
}

/** The context of requests to registries alone. */
export function registryContext(config: Config, { http, environment }: Network, session: Session): RegistryContext {
  const { deadline, requestCounts, requestLog, privateRegistry = "any", asker } = session;
  const warn: Warn = (warning) => session.warn(warning);
  const credentials = config.registryCredentials;
  const hasCredentials = (host: string): boolean => namesHost(credentials, environment, host);
  const client = http(warn, requestCounts.addJoined, asker);
  return {
    http: requestCounts.counted(requestLog?.recorded(client) ?? client),
    deadline,
    config,
    now: () => session.now(),
    pauses: { base: PAUSE, random: Math.random },
    registries: {
      endpoints: (name) => endpointsOf(name, config, warn, { privateRegistry, hasCredentials }),
      credentials: credentialSource(credentials, environment, deadline, warn),
    },
  };
}

/**
 * Like {@link collectContext}, for a caller that looks up signers and verifies no image.
 *
 * @param isStateless whether to touch neither the cache nor the signer history
 */
export function signersContext(
  config: Config,
  environment: Environment,
  session: Session,
  isStateless = false,
): DecideContext {
  const network = openNetwork(config, environment);
  if (isStateless) {
    const noLocks = new QuestionLocks(config.cacheDir, () => {});
    return collectContext(config, network, session, NO_STORES, noLocks);
  }
  const warnings = new StoreWarnings(config, (warning) => session.warn(warning));
  const locks = new QuestionLocks(config.cacheDir, warnings.cache);
  const key = new CacheKey(environment, warnings.cache);
  return collectContext(config, network, session, openStores(config, session, warnings, key), locks);
}

function cachedIdentities(
  { cache, isCacheShared }: Stores,
  { deadline }: Session,
  locks: QuestionLocks,
): FreshIdentities {
  return {
    find: (signer) => cache.findIdentity(signer),
    keep: async (digest, signer, identity) => cache.keepIdentity(digest, signer, identity),
    oneAtATime: async (signer, find, ask) => {
      if (!isCacheShared()) return ask();
      const work = `signer-${sha256Hex(toUtf8(signer))}`;
      const maxWait = deadline.remaining() * WAIT_SHARE;
      const [processLocks, { unlessFound }] = await Promise.all([
        locks.open(),
        import("../../io/store/process-lock.ts"),
      ]);
      try {
        const found = await deadline.track(`another process that fetches the identity of ${signer}`, () =>
          processLocks.findOrTake(work, maxWait, find),
        );
        return found ?? (await unlessFound(ask(), find));
      } finally {
        processLocks.end(work);
      }
    },
  };
}

/**
 * Reads a file of network.caFiles.
 *
 * @throws Rejection config.invalid
 */
export function readAuthorities(path: string): PemFile {
  const text = readTrustedFile({ path, code: "config.invalid", what: "the file of certificate authorities" });
  if (text?.includes("-----BEGIN CERTIFICATE-----") === true) return { path, text };
  const problem = text === undefined ? "does not exist" : "contains no PEM certificate";
  return reject("config.invalid", `the file ${path}, listed in network.caFiles, ${problem}`);
}
