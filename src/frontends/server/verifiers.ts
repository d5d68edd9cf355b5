import type { Config } from "../../core/config/config.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { reject } from "../../core/rejection.ts";
import type { Environment } from "../../io/process/environment.ts";
import { loadConfig, parsedPolicy } from "../../io/settings/load-settings.ts";
import { policyTexts, refuseUntrusted } from "../../io/settings/settings-files.ts";
import { ServerMemory } from "../../verifier/service/server-memory.ts";
import { Verifier } from "../../verifier/service/verifier.ts";
import type { Judging } from "./judge-image.ts";
import type { Review } from "./review.ts";

/** What reviews are judged by, as it was at the start. */
export class Verifiers {
  readonly config: Config;
  readonly #environment: Environment;
  /** Shared by all policies: evidence does not depend on them. */
  readonly #memory = new ServerMemory();
  readonly #policies: ReadonlyMap<string | undefined, TrustPolicy>;
  /** Of each policy. */
  readonly #verifiers = new WeakMap<TrustPolicy, Verifier>();

  /** @throws Rejection config.invalid, policy.invalid */
  constructor(environment: Environment, named: string | undefined) {
    this.#environment = environment;
    this.config = loadConfig(environment, named);
    const read = (path: string): TrustPolicy => parsedPolicy(policyTexts(path, refuseUntrusted).texts);
    this.#policies = new Map<string | undefined, TrustPolicy>([
      [undefined, read(this.config.trustPolicyPath)],
      ...[...(this.config.server?.policies ?? [])].map(([name, path]) => [name, read(path)] as const),
    ]);
  }

  /** How much is kept in memory, by kind. */
  get remembered(): Readonly<Record<string, number>> {
    return { ...this.#memory.sizes };
  }

  /** @throws Rejection policy.invalid */
  judgingFor({ policy: name }: Review): Omit<Judging, "unpinned"> {
    const policy = this.#policies.get(name);
    if (policy === undefined) reject("policy.invalid", `server.policies of the configuration has no "${name}"`);
    const { config } = this;
    const verifier =
      this.#verifiers.get(policy) ??
      new Verifier({ config, policy, environment: this.#environment, memory: this.#memory });
    this.#verifiers.set(policy, verifier);
    return { verifier, policy };
  }
}
