import { DEFAULT_CONFIG } from "../../../core/config/config.ts";
import type { BreakGlassFile } from "../../../core/policy/break-glass.ts";
import { readServerBreakGlass } from "../../../core/policy/parse-server-break-glass.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import type { PolicyText } from "../../../core/policy/policy-file.ts";
import { breakGlassFor, isInForce, type ServerBreakGlass } from "../../../core/policy/server-break-glass.ts";
import { reject } from "../../../core/rejection.ts";
import type { Warn } from "../../../core/warning.ts";
import { readTrustedFile } from "../../../io/fs/local-file.ts";
import { readMountedSecret } from "../../../io/fs/mounted-secret.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { parsedConfig, parsedPolicy } from "../../../io/settings/load-settings.ts";
import {
  configPath,
  configText,
  type PolicyTexts,
  policyTexts,
  refuseUntrusted,
} from "../../../io/settings/settings-files.ts";
import { amount } from "../../process/report.ts";
import { type FileState, LastGood, type OnChange } from "./last-good.ts";
import { filesOf, warnOfPinned } from "./pinned-files.ts";
import { type ServerConfig, serverConfig, whileRunning } from "./running-config.ts";
import { readTokens, type Token } from "./token-file.ts";
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
  /** At the start, about files whose changes are never seen. */
  readonly warn: Warn;
}

/** Bytes of a token file: its most lines, of the usual length. */
const MAX_TOKEN_FILE = 256 * 1024;

const STAYS = "what was valid before stays in use";

type Policy = LastGood<PolicyTexts["texts"], TrustPolicy>;
type Tokens = LastGood<string, readonly Token[]>;

/**
 * The server's settings, as they were when each of their files was last valid: configuration, policies, tokens and
 * break-glass. At the start all but break-glass must be valid; that is read from the first poll on. Later a broken file
 * changes nothing, and is reported.
 */
export class ServerFiles {
  readonly #report: OnChange;
  #isStarted = false;
  readonly #config: LastGood<PolicyText | null, ServerConfig>;
  /** As it takes effect. */
  #running: ServerConfig;
  readonly #default: Policy;
  readonly #named = new Map<string, Policy>();
  readonly #tokens = new Map<string, Tokens>();
  #tokenNames = new TokenNames([]);
  readonly #breakGlass: LastGood<readonly [path: string, text: string] | null, ServerBreakGlass | null>;

  /** @throws Rejection config.invalid, policy.invalid */
  constructor({ environment, named, now, report, warn }: ServerFilesOptions) {
    // The first mistake ends the start, with its own message.
    this.#report = (state, message) => {
      if (this.#isStarted) report(state, message);
    };
    this.#config = new LastGood(
      {
        subject: { what: "configuration" },
        read: () => configText(environment, named) ?? null,
        parse: (file) =>
          serverConfig(file === null ? DEFAULT_CONFIG : parsedConfig(file), configPath(environment, named)),
        meanwhile: STAYS,
      },
      this.#report,
    );
    this.#config.poll(now);
    this.#running = this.#config.value;
    this.#default = this.#policy(undefined, () => this.#running.trustPolicyPath);
    this.#breakGlass = new LastGood(
      {
        subject: { what: "break_glass" },
        read: () => this.#breakGlassText(),
        parse: (file) => file && readServerBreakGlass(file[1], file[0]),
        meanwhile: "it is not active",
      },
      this.#report,
    );
    this.#follow();
    this.#pollDemanded(now);
    for (const one of [this.#default, ...this.#named.values(), ...this.#tokens.values()]) void one.value;
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

  /** What it answers by, as a clause for people. */
  summary(): string {
    const all = [["default", this.#default] as const, ...this.#named];
    const policies = all.map(([name, { value }]) => `${name} (${amount(value.rules.length, "rule")})`);
    const tokens = this.demandsToken ? `; ${amount(this.#tokenNames.count, "token")} for /v1/verify` : "";
    return `policies: ${policies.join(", ")}${tokens}`;
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
    const path = this.#running.server.breakGlassFile ?? "";
    return breakGlassFor({ path, breakGlass: this.#ownBreakGlass }, namespace, now);
  }

  /**
   * When break-glass ends, where it is active for some namespace; milliseconds since 1970.
   *
   * @param now milliseconds since 1970
   */
  breakGlassUntil(now: number): number | undefined {
    const breakGlass = this.#ownBreakGlass;
    return breakGlass !== undefined && isInForce(breakGlass, now) ? breakGlass.until : undefined;
  }

  /** With any mistake in its file it is not active, as on a node: what was valid before may be what was just withdrawn. */
  get #ownBreakGlass(): ServerBreakGlass | undefined {
    return this.#breakGlass.isKnown && this.#breakGlass.state.ok ? (this.#breakGlass.value ?? undefined) : undefined;
  }

  /** Reads all files again. Takes effect at once where they are valid. @param now milliseconds since 1970 */
  poll(now: number): void {
    if (this.#config.poll(now)) {
      const { config, later } = whileRunning(this.#running, this.#config.value);
      this.#running = config;
      if (later.length > 0)
        this.#report(this.#config.state, `configuration: ${later.join(", ")}: restart the server to apply the change`);
      this.#follow();
    }
    this.#pollDemanded(now);
    this.#breakGlass.poll(now);
  }

  /** Has a reader for each file that the configuration names, and for no other. */
  #follow(): void {
    const { policies, tokenFiles } = this.#running.server;
    const policyOf = (name: string) => this.#policy(name, () => this.#running.server.policies.get(name) ?? "");
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
    return new LastGood({ subject, read, parse: parsedPolicy, meanwhile: STAYS }, this.#report);
  }

  #tokenFile(path: string): Tokens {
    const file = { path, code: "config.invalid", what: "the token file", max: MAX_TOKEN_FILE } as const;
    const subject = { what: "tokens", name: path } as const;
    const read = (): string => readMountedSecret(file);
    return new LastGood({ subject, read, parse: (text) => readTokens(text, path), meanwhile: STAYS }, this.#report);
  }

  #breakGlassText(): readonly [path: string, text: string] | null {
    const path = this.#running.server.breakGlassFile;
    if (path === undefined) return null;
    const text = readTrustedFile({ path, code: "config.invalid", what: "the break-glass file" });
    return text === undefined ? null : [path, text];
  }
}

function keepOnly<T>(map: Map<string, T>, names: readonly string[], make: (name: string) => T): void {
  for (const name of map.keys()) if (!names.includes(name)) map.delete(name);
  for (const name of names) if (!map.has(name)) map.set(name, make(name));
}
