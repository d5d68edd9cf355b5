import { listenText } from "../../core/config/listen-address.ts";
import { formatReference } from "../../core/oci/reference.ts";
import { hostsOfRules } from "../../core/policy/rule-hosts.ts";
import { reject } from "../../core/rejection.ts";
import { failureOf } from "../../core/verify/answer.ts";
import { VERSION } from "../../core/version.ts";
import { makeNodeKey, type NodeKey, openNodeKey, publicKeyPath } from "../../io/keys/node-key.ts";
import { recordLine } from "../../io/log/decision-record.ts";
import type { Environment } from "../../io/process/environment.ts";
import { loadConfig } from "../../io/settings/load-settings.ts";
import { decisionRecord } from "../process/decision-record-of.ts";
import type { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { amount, reasonLine } from "../process/report.ts";
import { type Answered, answerTarget } from "./answer-question.ts";
import { PeerQueue } from "./peer-queue.ts";
import { listen, type Reply } from "./server.ts";
import { SettingsOnDisk } from "./settings.ts";

const STARTING: Reply = { status: 503, phrase: "inconclusive server.overloaded: the responder is starting" };
const OVERLOADED: Reply = { status: 503, phrase: "inconclusive server.overloaded: too many questions at one time" };

interface LookasideOptions {
  /** The configuration's path. */
  readonly config: string | undefined;
  readonly "new-key": boolean;
}

/** `atcr-verify lookaside`: answers the programs of containers/image on this node until it is ended. */
export async function lookasideCommand(options: LookasideOptions, lifecycle: ProcessLifecycle): Promise<never> {
  const { environment } = lifecycle;
  if (options["new-key"]) return makeKey(loadConfig(environment, options.config).lookaside.keyFile, lifecycle);
  const settings = new SettingsOnDisk(environment, options.config);
  const { lookaside } = settings.config();
  const responder = {
    settings,
    log: (answered: Answered) => lifecycle.say(recordLine(recordOf(answered))),
    warn: (text: string) => lifecycle.diagnose(text),
  };
  const queue = new PeerQueue();
  const answering: { key?: NodeKey } = {};
  // A key is made only once nothing else has the address.
  const server = await listen(lookaside, isActivated(environment), async (target, peer) => {
    const { key } = answering;
    if (key === undefined) return STARTING;
    return (await queue.run(peer, () => answerTarget(target, { ...responder, key }))) ?? OVERLOADED;
  });
  const key = openNodeKey(lookaside.keyFile);
  answering.key = key;
  const known = `${servedBy(settings)}; public key sha256:${key.fingerprint}`;
  lifecycle.diagnose(`atcr-verify ${VERSION} answers on ${listenText(lookaside)} (${known})`);
  return lifecycle.standBy(() => server.stop());
}

/** A policy that cannot be used does not keep it from starting: each answer then gives the reason. */
function servedBy(settings: SettingsOnDisk): string {
  try {
    const { hosts } = hostsOfRules(settings.current().policy);
    return hosts.length === 0 ? "the policy names no registry" : amount(hosts.length, "registry host");
  } catch (error) {
    return `everything is refused: ${reasonLine(failureOf(error)).trimEnd()}`;
  }
}

function makeKey(keyFile: string, lifecycle: ProcessLifecycle): never {
  const { fingerprint } = makeNodeKey(keyFile);
  const then = "restart the responder: systemctl restart atcr-verify-lookaside";
  return lifecycle.print(`made ${keyFile} and ${publicKeyPath(keyFile)} (sha256:${fingerprint}); ${then}\n`);
}

/** Whether systemd passes the socket (sd_listen_fds(3)). @throws Rejection config.invalid for more than one */
function isActivated(environment: Environment): boolean {
  if (environment["LISTEN_PID"] !== String(process.pid)) return false;
  const count = environment["LISTEN_FDS"];
  return count === "1" || reject("config.invalid", `systemd passes ${count ?? "no"} sockets, expected one`);
}

function recordOf({ subject, answer, decision, policyHash, requestCounts, warnings, total }: Answered) {
  const record = decisionRecord(answer, {
    image: formatReference(subject.name),
    digest: subject.digest,
    rule: decision?.rule,
    cache: decision?.cache,
    running: total,
    requestCounts,
    warnings,
    policyHash,
  });
  return { ...record, gate: "lookaside" } as const;
}
