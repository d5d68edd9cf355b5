import type { BreakGlassFile } from "../../../core/policy/break-glass.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import type { PolicyText } from "../../../core/policy/policy-file.ts";
import { reject } from "../../../core/rejection.ts";
import type { Warn } from "../../../core/warning.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { parsedConfig, parsedPolicy } from "../../../io/settings/load-settings.ts";
import {
  configPath,
  configText,
  type PolicyTexts,
  policyTexts,
  refuseUntrusted,
} from "../../../io/settings/settings-files.ts";
import { BreakGlassInUse } from "./break-glass-in-use.ts";
import { type FileState, LastGood, type OnChange } from "./last-good.ts";
import { filesOf, warnOfPinned } from "./pinned-files.ts";
import { type ServerConfig, serverConfig, whileRunning } from "./running-config.ts";
import { described } from "./start-lines.ts";
import { demandTokens, readTokens, type Token, tokenText } from "./token-file.ts";
import { TokenNames } from "./token-names.ts";

/** What a request is judged by. Both are the same objects as before where nothing has changed. */
export interface SettingsInUse {
  readonly config: ServerConfig;
  readonly policy: TrustPolicy;
}

export interface ServerFilesOptions {
  readonly environment: Environment;
  /** The configuration's path, if the command line names one. */
  readonly named: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** After the start. */
  readonly report: OnChange;
  /** Prints that break-glass begins or ends, that a policy is gone, or what needs a restart. */
  readonly announce: (line: string) => void;
  /** At the start, about files whose changes are never seen. */
  readonly warn: Warn;
}

const STAYS = "what was valid before stays in use";
const LETS_NOBODY_IN = "it names no token, so it lets nobody in";

type Policy = LastGood<PolicyTexts["texts"], TrustPolicy>;
type Tokens = LastGood<string, readonly Token[]>;

/**
 * The server's settings, as they were when each of their files was last valid: configuration, policies, tokens and
 * break-glass. At the start all but break-glass must be valid; that is read from the first poll on. Later a broken file
 * changes nothing, and is reported.
 */
export class ServerFiles {
  readonly #report: OnChange;
  readonly #announce: (line: string) => void;
  #isStarted = false;
  readonly #config: LastGood<PolicyText | null, ServerConfig>;
  /** As it takes effect. */
  #running: ServerConfig;
  /** Changed keys that wait for a restart. */
  #later: readonly string[] = [];
  readonly #default: Policy;
  readonly #named = new Map<string, Policy>();
  readonly #tokens = new Map<string, Tokens>();
  #tokenNames = new TokenNames([]);
  readonly #breakGlass: BreakGlassInUse;

  /** @throws Rejection config.invalid, policy.invalid */
  constructor({ environment, named, now, report, announce, warn }: ServerFilesOptions) {
    this.#announce = announce;
    // The first mistake ends the start, with its own message.
    this.#report = (state, message) => {
      if (this.#isStarted) report(state, message);
    };
    this.#config = new LastGood(
      {
        subject: { what: "configuration" },
        path: () => configPath(environment, named),
        read: () => configText(environment, named) ?? null,
        parse: (file) => serverConfigIn(file, configPath(environment, named)),
        meanwhile: STAYS,
      },
      this.#report,
    );
    this.#config.poll(now);
    this.#running = this.#config.value;
    this.#default = this.#policy(undefined, () => this.#running.trustPolicyPath);
    this.#breakGlass = new BreakGlassInUse(() => this.#running.server.breakGlassFile, this.#report, announce);
    this.#follow();
    this.#pollDemanded(now);
    for (const one of [this.#default, ...this.#named.values()]) void one.value;
    for (const [path, { value }] of this.#tokens) demandTokens(value, path);
    this.#isStarted = true;
    warnOfPinned([configPath(environment, named), ...filesOf(this.#running)], warn);
  }

  get config(): ServerConfig {
    return this.#running;
  }

  /** Whether each file is valid as it is now. */
  get states(): readonly FileState[] {
    const all = [this.#config, this.#default, ...this.#named.values(), ...this.#tokens.values(), this.#breakGlass];
    return all.map(({ state }) => state);
  }

  /** Whether all files of a kind are valid as they are now. */
  areValid(what: FileState["what"]): boolean {
    return this.states.every((state) => state.what !== what || state.ok);
  }

  /**
   * What a request is judged by.
   *
   * @param name of the policy, as the request's path has it; absent: that of trustPolicyPath
   * @returns undefined where the configuration names no such policy
   * @throws Rejection policy.invalid where it was added while the server runs, and was never valid
   */
  current(name: string | undefined): SettingsInUse | undefined {
    const policy = name === undefined ? this.#default : this.#named.get(name);
    if (policy === undefined) return undefined;
    // The whole message is for the administrators: it has paths, and is in the log.
    if (!policy.isKnown) reject("policy.invalid", `the policy ${name} of this server cannot be read; see its log`);
    return { config: this.#running, policy: policy.value };
  }

  /** Keys of `server.policies`, as configured now. */
  get policyNames(): readonly string[] {
    return [...this.#named.keys()];
  }

  /** How many tokens are accepted; undefined where the gate `verify` demands none. */
  get tokens(): number | undefined {
    return this.demandsToken ? this.#tokenNames.count : undefined;
  }

  /** Whether the gate `verify` demands a token. */
  get demandsToken(): boolean {
    return this.#running.server.tokenFiles.length > 0;
  }

  /** The name of the token of a request. @param authorization the header's value; attacker-controlled */
  tokenNameOf(authorization: string | undefined): string | undefined {
    return this.#tokenNames.nameOf(authorization);
  }

  /**
   * The break-glass that applies to a request.
   *
   * @param namespace of the request, if it is one that its author could not choose
   * @param now milliseconds since 1970
   */
  breakGlassFor(namespace: string | undefined, now: number): BreakGlassFile | undefined {
    return this.#breakGlass.for(namespace, now);
  }

  /**
   * When break-glass ends, where it is active for some namespace; milliseconds since 1970.
   *
   * @param now milliseconds since 1970
   */
  breakGlassUntil(now: number): number | undefined {
    return this.#breakGlass.until(now);
  }

  /** Reads all files again. Takes effect at once where they are valid. @param now milliseconds since 1970 */
  poll(now: number): void {
    if (this.#config.poll(now)) {
      const { config, later } = whileRunning(this.#running, this.#config.value);
      this.#running = config;
      // Announced, as a report counts: the reading was one already.
      const undone = this.#later.filter((key) => !later.includes(key));
      this.#later = later;
      if (later.length > 0)
        this.#announce(`configuration: ${later.join(", ")}: restart the server to apply the change`);
      if (undone.length > 0)
        this.#announce(`configuration: ${undone.join(", ")}: as the server runs with again, so needs no restart`);
      this.#follow();
    }
    this.#pollDemanded(now);
    this.#breakGlass.poll(now);
  }

  /** Has a reader for each file that the configuration names, and for no other. */
  #follow(): void {
    const { policies, tokenFiles } = this.#running.server;
    const policyOf = (name: string) => this.#policy(name, () => this.#running.server.policies.get(name) ?? "");
    for (const name of this.#named.keys()) if (!policies.has(name)) this.#announce(goneLine(name));
    keepOnly(this.#named, [...policies.keys()], policyOf);
    keepOnly(this.#tokens, tokenFiles, (path) => this.#tokenFile(path));
  }

  /** The files without which the server does not start. */
  #pollDemanded(now: number): void {
    this.#default.poll(now);
    for (const one of this.#named.values()) one.poll(now);
    for (const one of this.#tokens.values()) one.poll(now);
    this.#tokenNames = new TokenNames([...this.#tokens.values()].flatMap((one) => (one.isKnown ? one.value : [])));
  }

  #policy(name: string | undefined, path: () => string): Policy {
    const read = (): PolicyTexts["texts"] => policyTexts(path(), refuseUntrusted).texts;
    const subject = { what: "policy", ...(name !== undefined && { name }) } as const;
    const source = { subject, path, read, parse: parsedPolicy, described, meanwhile: STAYS, saysFirst: true } as const;
    return new LastGood(source, this.#report);
  }

  #tokenFile(path: string): Tokens {
    const subject = { what: "tokens", name: path } as const;
    const read = (): string => tokenText(path);
    const parse = (text: string): readonly Token[] => readTokens(text, path);
    const described = ({ length }: readonly Token[]): string | undefined => (length === 0 ? LETS_NOBODY_IN : undefined);
    return new LastGood({ subject, read, parse, described, meanwhile: STAYS, saysFirst: true }, this.#report);
  }
}

function serverConfigIn(file: PolicyText | null, path: string): ServerConfig {
  if (file !== null) return serverConfig(parsedConfig(file), path);
  return reject("config.invalid", `the configuration ${path} does not exist; name another one with --config`);
}

function goneLine(name: string): string {
  return `policy ${name} is gone from server.policies: /admit/${name} refuses every image now, and /mutate/${name} pins none`;
}

function keepOnly<T>(map: Map<string, T>, names: readonly string[], make: (name: string) => T): void {
  for (const name of map.keys()) if (!names.includes(name)) map.delete(name);
  for (const name of names) if (!map.has(name)) map.set(name, make(name));
}
