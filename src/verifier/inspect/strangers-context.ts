import type { Config } from "../../core/config/config.ts";
import { NO_HISTORY } from "../../core/verify/signer-history.ts";
import type { Environment } from "../../io/process/environment.ts";
import type { CollectContext } from "../collect/context.ts";
import { openNetwork, registryContext } from "../service/network.ts";
import type { Session } from "../service/session.ts";

/** Milliseconds of the deadline in which the result is written. */
const RESERVE = 500;

/**
 * The context of an inspection. It has neither the cache nor the signer history of this node: strangers choose who is asked,
 * and must not be able to fill its disk, or to drive out what it knows of the signers it trusts.
 */
export function strangersContext(config: Config, environment: Environment, session: Session): CollectContext {
  const network = openNetwork(config, environment);
  return {
    ...registryContext(config, network, session),
    txt: network.txt,
    deadline: session.deadline.earlier(RESERVE),
    loadHistory: async () => NO_HISTORY,
    identities: { find: () => undefined, keep: async () => {}, oneAtATime: (_signer, _find, ask) => ask() },
  };
}
