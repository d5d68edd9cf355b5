import { type Config, DEFAULT_CONFIG } from "../../core/config/config.ts";
import { fromUtf8, toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import { fromTypedJson, toTypedJson } from "../../core/encoding/typed-json.ts";
import { policyHash, type TrustPolicy } from "../../core/policy/policy.ts";
import type { PolicyText } from "../../core/policy/policy-file.ts";
import { PROGRAM } from "../../core/version.ts";
import type { Warn } from "../../core/warning.ts";
import type { FileCache } from "../fs/file-cache.ts";
import type { Environment } from "../process/environment.ts";
import { CACHE_FOLDERS, cacheFolder } from "../store/cache-folders.ts";
import type { CacheKey } from "../store/cache-key.ts";
import { cacheDirFromEnvironment } from "./cache-place.ts";
import { configText, policyTexts, refuseUntrusted } from "./settings-files.ts";

export interface Settings {
  readonly config: Config;
  readonly policy: TrustPolicy;
}

/** Callbacks of the caller while settings are read. */
export interface Reader {
  readonly warn: Warn;
  /** Called before texts are parsed, which takes longer than all that comes before it; with how long they are. */
  readonly beforeParsing: (size: number) => void;
  readonly hasConfig: (config: Config) => void;
  /** @param hash SHA-256 of the files of the policy, one after the other, in hex */
  readonly hasPolicy: (hash: string) => void;
}

/**
 * Configuration and policy for a pull. The files are read, and their permissions checked, each time; the parsed form is
 * cached under the hash of their names, their bytes and this build. If the cached form is unusable they are parsed again.
 *
 * @throws Rejection config.invalid, policy.invalid
 */
export async function settingsForPull(
  environment: Environment,
  key: CacheKey,
  { warn, beforeParsing, hasConfig, hasPolicy }: Reader,
): Promise<Settings> {
  const folder = cacheDirFromEnvironment(environment);
  const isPlace = folder.startsWith("/");
  if (isPlace) key.keepOutOf(folder);
  const files = isPlace ? cacheFolder(folder, "settings", key, warn) : undefined;
  // Never writes to a folder other than the configured one.
  const isOwn = ({ cacheEnabled, cacheDir }: Config): boolean => cacheEnabled && cacheDir === folder;

  const file = configText(environment, undefined);
  const parser = async (texts: readonly PolicyText[]) => {
    beforeParsing(texts.reduce((sum, { text }) => sum + text.length, 0));
    return import("./load-settings.ts");
  };
  const parseConfig = async (text: PolicyText) => {
    const parsed = (await parser([text])).parsedConfig(text);
    key.keepOutOf(parsed.stateDir, parsed.cacheDir);
    return parsed;
  };
  const config =
    file === undefined ? DEFAULT_CONFIG : await remembered("config", [file], files, () => parseConfig(file), isOwn);
  hasConfig(config);
  key.keepOutOf(config.stateDir);

  const { texts } = policyTexts(config.trustPolicyPath, refuseUntrusted);
  const parsePolicy = async () => (await parser(texts)).parsedPolicy(texts);
  hasPolicy(policyHash(texts));
  const policy = await remembered("policy", texts, isOwn(config) ? files : undefined, parsePolicy, () => true);
  return { config, policy };
}

async function remembered<T>(
  what: string,
  texts: readonly PolicyText[],
  files: FileCache | undefined,
  parse: () => Promise<T>,
  mayRemember: (value: T) => boolean,
): Promise<T> {
  if (files === undefined) return parse();
  const name = sha256Hex(toUtf8(JSON.stringify([PROGRAM, what, ...texts.flatMap(({ name, text }) => [name, text])])));
  const entry = files.read(name);
  const known = entry && fromUtf8(entry);
  if (known !== undefined) return fromTypedJson(known) as T;
  const value = await parse();
  const bytes = mayRemember(value) ? toUtf8(toTypedJson(value)) : undefined;
  if (bytes !== undefined && bytes.length <= CACHE_FOLDERS.settings.bytes) await files.write(name, bytes);
  return value;
}
