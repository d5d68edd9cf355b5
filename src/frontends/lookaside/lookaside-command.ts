import { listenText } from "../../core/config/lookaside-settings.ts";
import { formatReference } from "../../core/oci/reference.ts";
import { hostsOfRules } from "../../core/policy/rule-hosts.ts";
import { reject } from "../../core/rejection.ts";
import { VERSION } from "../../core/version.ts";
import { makeNodeKey, openNodeKey, publicKeyPath } from "../../io/keys/node-key.ts";
import { recordLine } from "../../io/log/decision-record.ts";
import type { Environment } from "../../io/process/environment.ts";
import { loadConfig } from "../../io/settings/load-settings.ts";
import { decisionRecord } from "../process/decision-record-of.ts";
import type { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { amount } from "../process/report.ts";
import { type Answered, answerTarget } from "./answer-question.ts";
import { PeerQueue } from "./peer-queue.ts";
import { listen, type Reply } from "./server.ts";
import { SettingsOnDisk } from "./settings.ts";

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
  const { config, policy } = settings.current();
  const key = openNodeKey(config.lookaside.keyFile);
  const responder = {
    settings,
    key,
    log: (answered: Answered) => lifecycle.say(recordLine(recordOf(answered))),
    warn: (text: string) => lifecycle.diagnose(text),
  };
  const queue = new PeerQueue();
  const server = await listen(config.lookaside, isActivated(environment), async (target, peer) => {
    return (await queue.run(peer, () => answerTarget(target, responder))) ?? OVERLOADED;
  });
  const { hosts } = hostsOfRules(policy);
  const where = listenText(config.lookaside);
  const served = hosts.length === 0 ? "the policy names no registry" : amount(hosts.length, "registry host");
  lifecycle.diagnose(`atcr-verify ${VERSION} answers on ${where} (${served}; public key sha256:${key.fingerprint})`);
  return lifecycle.standBy(() => server.stop());
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
