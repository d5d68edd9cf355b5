import type { Config } from "../../core/config/config.ts";
import { printable } from "../../core/encoding/printable.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { reject } from "../../core/rejection.ts";
import type { Environment } from "../../io/process/environment.ts";
import type { ServerMemory } from "../../verifier/service/server-memory.ts";
import { Verifier } from "../../verifier/service/verifier.ts";
import type { Judging } from "./judge-image.ts";
import type { Review } from "./review.ts";
import type { ServerFiles } from "./settings/server-files.ts";

/** Longest name of a policy that a message repeats, characters: that of a path is attacker-controlled. */
const MAX_NAME = 64;
/** Names of policies in a message. */
const MAX_NAMES = 8;

/** A verifier for each policy. All share one memory: evidence does not depend on the policy. */
export class Verifiers {
  readonly #files: ServerFiles;
  readonly #environment: Environment;
  readonly #memory: ServerMemory;
  readonly #opened = new WeakMap<TrustPolicy, { readonly config: Config; readonly verifier: Verifier }>();

  constructor(files: ServerFiles, environment: Environment, memory: ServerMemory) {
    this.#files = files;
    this.#environment = environment;
    this.#memory = memory;
  }

  /**
   * What a review is judged by now.
   *
   * @throws Rejection policy.invalid where there is no policy of its name, or none that could be read
   */
  judgingFor({ policy: name, namespace }: Pick<Review, "policy" | "namespace">): Omit<Judging, "unpinned"> {
    const current = this.#files.current(name);
    if (current === undefined) reject("policy.invalid", unknownPolicy(name, this.#files.policyNames));
    const { config, policy } = current;
    return {
      verifier: this.#verifierOf(config, policy),
      policy,
      breakGlass: this.#files.breakGlassFor(namespace, Date.now()),
    };
  }

  #verifierOf(config: Config, policy: TrustPolicy): Verifier {
    const known = this.#opened.get(policy);
    if (known?.config === config) return known.verifier;
    const verifier = new Verifier({ config, policy, environment: this.#environment, memory: this.#memory });
    this.#opened.set(policy, { config, verifier });
    return verifier;
  }
}

function unknownPolicy(name = "", known: readonly string[]): string {
  const more = known.length > MAX_NAMES ? ` and ${known.length - MAX_NAMES} more` : "";
  const names = known.length === 0 ? "no policy" : `${known.slice(0, MAX_NAMES).join(", ")}${more}`;
  return `the path names the policy "${printable(name.slice(0, MAX_NAME))}"; server.policies has ${names}`;
}
