import { dirname, join } from "node:path";
import type { Config } from "../../core/config/config.ts";
import { DEFAULT_CONFIG } from "../../core/config/config.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import type { PolicyText } from "../../core/policy/policy-file.ts";
import { withoutOldEvidence } from "../../core/policy/without-old-evidence.ts";
import { reject } from "../../core/rejection.ts";
import type { Environment } from "../../io/process/environment.ts";
import { parsedConfig, parsedPolicy } from "../../io/settings/load-settings.ts";
import { configText, policyTexts, refuseUntrusted } from "../../io/settings/settings-files.ts";
import { Verifier } from "../../verifier/service/verifier.ts";

/** What one question is judged by. */
export interface Current {
  readonly config: Config;
  readonly policy: TrustPolicy;
  readonly verifier: Verifier;
}

/**
 * The settings as they are on the disk now. They are read at each question, as at a pull by containerd, and parsed where
 * they changed. A broken file refuses: what was valid before could allow what its administrator has just forbidden.
 */
export class SettingsOnDisk {
  readonly #environment: Environment;
  readonly #named: string | undefined;
  #read: { readonly texts: string; readonly current: Current } | undefined;

  /** @param named the configuration's path, if the command line names one */
  constructor(environment: Environment, named: string | undefined) {
    this.#environment = environment;
    this.#named = named;
  }

  /** @throws Rejection config.invalid */
  config(): Config {
    return this.#readConfig().config;
  }

  #readConfig(): { readonly config: Config; readonly file: PolicyText | undefined } {
    const file = configText(this.#environment, this.#named);
    return { file, config: ownConfig(file === undefined ? DEFAULT_CONFIG : parsedConfig(file)) };
  }

  /**
   * @returns the same object as before where nothing has changed
   * @throws Rejection config.invalid, policy.invalid
   */
  current(): Current {
    const { config, file } = this.#readConfig();
    const { texts } = policyTexts(config.trustPolicyPath, refuseUntrusted);
    const all = JSON.stringify([file, texts]);
    if (this.#read?.texts !== all) {
      const policy = withoutOldEvidence(parsedPolicy(texts));
      const environment = { ...this.#environment, ATCR_VERIFY_CACHE_KEY: join(folderOf(config), "cache-key") };
      const verifier = new Verifier({ config, policy, environment, outside: NOTHING_OUTSIDE });
      this.#read = { texts: all, current: { config, policy, verifier } };
    }
    return this.#read.current;
  }
}

/** Evidence that this node did not gather itself never counts here. */
const NOTHING_OUTSIDE = { place: "nowhere", find: () => undefined, newestLog: () => undefined } as const;

function folderOf({ lookaside }: Config): string {
  return dirname(lookaside.keyFile);
}

/** The responder runs as a user of its own, so its state and its cache lie beside its key. */
function ownConfig(config: Config): Config {
  if (config.offline)
    reject("config.invalid", "offline is true, but the lookaside responder signs only what it has just verified");
  const folder = folderOf(config);
  return { ...config, stateDir: join(folder, "state"), cacheDir: join(folder, "cache"), bundleKeys: [] };
}
