import type { Config } from "../config/config.ts";
import { type DecideContext, type Decision, decide } from "../decide/decide.ts";
import { readTrustedFile } from "../disk/local-file.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { Authorities } from "../net/authorities.ts";
import type { Deadline } from "../net/deadline.ts";
import type { PemFile } from "../net/exchange.ts";
import type { HttpClientOptions } from "../net/hop.ts";
import { createHttpClient } from "../net/http.ts";
import { proxiesOf } from "../net/proxy.ts";
import { readSystemRoots } from "../net/system-roots.ts";
import { createTxtLookup } from "../net/txt.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { credentialSource } from "../registry/credentials.ts";
import { endpointsOf } from "../registry/endpoints.ts";
import { reject } from "../rejection.ts";
import type { Subject } from "../verify/evidence.ts";
import { VERSION } from "../version.ts";
import type { HostProcess } from "./host-process.ts";
import { type NodeMemory, openMemory } from "./node-memory.ts";

/** Milliseconds before a question that got no answer is asked again; doubled each time. */
const PAUSE = 200;
/** Share of the time left that a process waits for what another one asks. */
const PATIENCE = 5 / 8;

/** Asks the network, with this process's clock and deadline and this node's memory. */
export async function judgeOnline(
  subject: Subject,
  policy: TrustPolicy,
  config: Config,
  host: HostProcess,
  memory = openMemory(config, host),
): Promise<Decision> {
  return decide(subject, policy, onlineContext(config, host, memory), (rule) => {
    host.rule = rule;
  });
}

/** What whoever asks the network works with. */
export function onlineContext(config: Config, host: HostProcess, memory = openMemory(config, host)): DecideContext {
  const { deadline } = host;
  const report = (warning: string): void => host.warn(warning);
  return {
    ...memory,
    http: host.exchanges.counted(createHttpClient(httpOptions(config, report))),
    txt: createTxtLookup(),
    deadline,
    config,
    pauses: { base: PAUSE, random: Math.random },
    identities: identitiesOf(memory, deadline),
    registries: {
      endpoints: (name) => endpointsOf(name, config, report),
      credentials: credentialSource(config.registryCredentials, { ...process.env }, deadline, report),
    },
  };
}

/** Of whom requests are made, and who may vouch for a host. @param report told of certificates that are not used */
export function httpOptions(config: Config, report: (warning: string) => void): HttpClientOptions {
  return {
    version: VERSION,
    allow: config.network,
    proxies: proxiesOf(config.proxy, process.env),
    authorities: new Authorities(() => readSystemRoots(process.env), config.caFiles.map(readAuthorities), report),
    skipVerify: config.skipVerify,
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
  const found = text === undefined ? "there is no file" : "there is no certificate in PEM in";
  return reject("config.invalid", `${found} ${path}, which network.caFiles lists`);
}

/** Identities as this node has cached them. @param deadline of the image: for a share of what is left of it another process is waited for */
export function identitiesOf({ cache, turns: open }: NodeMemory, deadline: Deadline): DecideContext["identities"] {
  return {
    find: (signer) => cache.findIdentity(signer),
    keep: async (digest, signer, identity) => cache.keepIdentity(digest, signer, identity),
    oneAtATime: async (signer, find, ask) => {
      const work = `signer-${sha256Hex(toUtf8(signer))}`;
      const patience = deadline.remaining() * PATIENCE;
      const turns = await open();
      const { unlessFound } = await import("../state/turns.ts");
      try {
        const found = await deadline.track(`another process that asks for ${signer}`, () =>
          turns.findOrTake(work, patience, find),
        );
        return found ?? (await unlessFound(ask(), find));
      } finally {
        turns.end(work);
      }
    },
  };
}
