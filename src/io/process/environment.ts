import { WARNINGS, type Warning } from "../../core/warning.ts";

/** The variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How Bun is told about an option of its engine; there is no flag that could be compiled in. */
const OPTION = "BUN_JSC_useJIT";
/**
 * How the engine runs: without just-in-time compilation; or with its first stage alone, which takes a third of the time
 * where a file of thousands of lines is parsed (docs/decisions/0046-large-files.md).
 */
const ENGINES = {
  interpreter: { [OPTION]: "0" },
  baseline: { [OPTION]: "1", BUN_JSC_useDFGJIT: "0" },
} as const;
export type Engine = keyof typeof ENGINES;

/** Which of them the program has chosen for itself: pid and name. */
const CHOSEN = "ATCR_VERIFY_ENGINE";
/** How the program tells itself what it has read, over a start in the same process. */
const HANDED_OVER = "ATCR_VERIFY_HANDED_OVER";
/** Likewise what it has warned of. */
const WARNED = "ATCR_VERIFY_WARNED";
/** Pid, and what is handed over as base64. */
const FORM = /^([0-9]{1,10}):([A-Za-z0-9+/=]*)$/;
/** Bytes of one thing that is handed over. Linux takes 128 KiB. */
export const MAX_HANDED_OVER = 64 * 1024;
/** Variables by which Bun would go past a proxy that it is told to use, to a host that it looks up itself. */
const BYPASSES = ["NO_PROXY", "no_proxy"];

/** What this process was started with. */
export interface StartedWith {
  /** As whoever started the program gave it, without what the program tells itself; it never changes. */
  readonly environment: Environment;
  /** Chosen by the program itself when it started anew in this process. */
  readonly engine?: Engine;
  /** The whole standard input, where it was read before that. */
  readonly stdin?: Uint8Array;
  /** What was warned of before that. */
  readonly warned?: readonly Warning[];
}

/** What is handed over a start in the same process. */
export type Kept = Pick<StartedWith, "stdin" | "warned">;

/**
 * Reads the environment, and takes out of the process's what neither the runtime nor the programs that are run from
 * here may find there. To be called once, before anything else: everybody is handed what it returns, and nobody else
 * reads or changes the process's environment.
 */
export function readEnvironment(): StartedWith {
  const environment = { ...process.env };
  const engine = chosenEngine(environment[CHOSEN]);
  const stdin = handedOver(environment[HANDED_OVER]);
  const warned = handedOver(environment[WARNED]);
  const own = [CHOSEN, HANDED_OVER, WARNED, ...(engine === undefined ? [] : Object.keys(ENGINES[engine]))];
  for (const name of own) delete environment[name];
  for (const name of [...own, ...BYPASSES]) delete process.env[name];
  return {
    environment: Object.freeze(environment),
    ...(engine && { engine }),
    ...(stdin && { stdin }),
    ...(warned && { warned: readWarnings(warned) }),
  };
}

/** What another process chose is none. */
function chosenEngine(text = ""): Engine | undefined {
  const [pid, name] = text.split(":");
  return Number(pid) === process.pid && (name === "interpreter" || name === "baseline") ? name : undefined;
}

/** What another process was given is not believed. */
function handedOver(text = ""): Uint8Array | undefined {
  const [, pid, bytes = ""] = FORM.exec(text) ?? [];
  return Number(pid) === process.pid ? Buffer.from(bytes, "base64") : undefined;
}

/** Whether the environment has chosen how the engine runs, which is the administrator's to say. */
export function choosesEngine(environment: Environment): boolean {
  return environment[OPTION] !== undefined;
}

/**
 * With which environment the program starts itself anew in this process.
 *
 * @param kept.stdin the whole standard input, where it has been read
 * @param kept.warned what was warned of so far; what takes more than 64 KiB is left out, and is warned of again
 */
export function environmentOfRestart(environment: Environment, engine: Engine, kept: Kept = {}): Environment {
  const { stdin, warned = [] } = kept;
  const handing = (bytes: Uint8Array): string => `${process.pid}:${Buffer.from(bytes).toString("base64")}`;
  const warnings = Buffer.from(JSON.stringify(warned));
  return {
    ...environment,
    ...ENGINES[engine],
    [CHOSEN]: `${process.pid}:${engine}`,
    ...(stdin && { [HANDED_OVER]: handing(stdin) }),
    ...(warned.length > 0 && warnings.length <= MAX_HANDED_OVER && { [WARNED]: handing(warnings) }),
  };
}

/** Those of a text that can only be damaged; what is none is left out. */
function readWarnings(bytes: Uint8Array): readonly Warning[] {
  try {
    const list: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return Array.isArray(list) ? list.filter(isWarning) : [];
  } catch {
    return [];
  }
}

function isWarning(value: unknown): value is Warning {
  if (typeof value !== "object" || value === null || !("code" in value && "message" in value)) return false;
  return typeof value.code === "string" && Object.hasOwn(WARNINGS, value.code) && typeof value.message === "string";
}
