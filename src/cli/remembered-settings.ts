import { type Config, DEFAULT_CONFIG } from "../config/config.ts";
import { Pieces } from "../disk/pieces.ts";
import { toHex, toUtf8 } from "../encoding/bytes.ts";
import { seal, unseal } from "../encoding/sealed.ts";
import { sha256 } from "../encoding/sha256.ts";
import { fromTypedJson, toTypedJson } from "../encoding/typed-json.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import type { PolicyText } from "../policy/policy-file.ts";
import { PROGRAM } from "../version.ts";
import { configText, policyTexts, refuseDistrusted } from "./settings-files.ts";

/** Names the folder of the cache where it must be known before the configuration, which names it too, is read. */
const CACHE_VARIABLE = "ATCR_VERIFY_CACHE_DIR";
/** Bytes of one; a larger policy is parsed each time. */
const MAX_SETTINGS = 1024 * 1024;
/** Remembered in all: every change of a file leaves one behind. */
const MAX_REMEMBERED = 64;

export interface Settings {
  readonly config: Config;
  readonly policy: TrustPolicy;
}

/**
 * Configuration and policy for a pull. The files are read, and who can change them is looked at, each time;
 * what they say is parsed once, and remembered under the hash of their names, their bytes and this program.
 * Where there is any doubt they are parsed.
 *
 * @param report told of what lies in the cache and cannot be used
 * @throws Rejection config.invalid, policy.invalid
 */
export async function settingsForPull(report: (warning: string) => void): Promise<Settings> {
  const folder = process.env[CACHE_VARIABLE] ?? DEFAULT_CONFIG.cacheDir;
  const bounds = { bytes: MAX_SETTINGS, count: MAX_REMEMBERED };
  const pieces = folder.startsWith("/") ? new Pieces(folder, "settings", bounds, report) : undefined;
  // A folder that the configuration does not name is not written to.
  const isOwn = ({ cacheEnabled, cacheDir }: Config): boolean => cacheEnabled && cacheDir === folder;

  const file = configText(undefined);
  const parseConfig = async (text: PolicyText) => (await import("./settings.ts")).parsedConfig(text);
  const config =
    file === undefined ? DEFAULT_CONFIG : await remembered("config", [file], pieces, () => parseConfig(file), isOwn);

  const { texts } = policyTexts(config.trustPolicyPath, refuseDistrusted);
  const parsePolicy = async () => (await import("./settings.ts")).parsedPolicy(texts);
  const policy = await remembered("policy", texts, isOwn(config) ? pieces : undefined, parsePolicy, () => true);
  return { config, policy };
}

async function remembered<T>(
  what: string,
  texts: readonly PolicyText[],
  pieces: Pieces | undefined,
  parse: () => Promise<T>,
  mayRemember: (value: T) => boolean,
): Promise<T> {
  if (pieces === undefined) return parse();
  const name = toHex(
    sha256(toUtf8(JSON.stringify([PROGRAM, what, ...texts.flatMap(({ name, text }) => [name, text])]))),
  );
  const piece = await pieces.read(name);
  const known = piece && unseal(piece.bytes);
  if (known !== undefined) return fromTypedJson(known) as T;
  const value = await parse();
  const bytes = mayRemember(value) ? seal(toTypedJson(value)) : undefined;
  if (bytes !== undefined && bytes.length <= MAX_SETTINGS) await pieces.write(name, bytes);
  return value;
}
