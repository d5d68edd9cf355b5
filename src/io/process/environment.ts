import { WARNINGS, type Warning } from "../../core/warning.ts";

/** The variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Ratify sets it, and nobody else: then the program is its verifier plugin (docs/ratify.md). */
export const RATIFY_COMMAND = "RATIFY_VERIFIER_COMMAND";

/** Sets an option of Bun's engine; there is no compile-time flag for it. */
const OPTION = "BUN_JSC_useJIT";
/**
 * Engine modes: without just-in-time compilation; with its first tier only, which takes a third of the time to parse
 * a file of thousands of lines (docs/decisions/0046-large-files.md); or, for what runs for months, with all of it, and with
 * garbage collected as on a machine of 192 MiB: else the engine lets the heap grow with the machine's memory, whatever a
 * container may have of it (docs/decisions/0078-the-servers-frame.md).
 */
const ENGINES = {
  interpreter: { [OPTION]: "0" },
  baseline: { [OPTION]: "1", BUN_JSC_useDFGJIT: "0" },
  server: { [OPTION]: "1", BUN_JSC_forceRAMSize: String(192 * 1024 * 1024) },
} as const;
export type Engine = keyof typeof ENGINES;

/** The mode that the program chose for its re-execution: pid and name. */
const CHOSEN = "ATCR_VERIFY_ENGINE";
/** Passes the standard input already read to the re-executed program. */
const HANDED_OVER = "ATCR_VERIFY_HANDED_OVER";
/** Passes the warnings already given. */
const WARNED = "ATCR_VERIFY_WARNED";
/** Pid, and the value as base64. */
const FORM = /^([0-9]{1,10}):([A-Za-z0-9+/=]*)$/;
/** Bytes of one value that is passed on. Linux allows 128 KiB. */
export const MAX_HANDED_OVER = 64 * 1024;
/** Variables that would make Bun bypass the proxy it is given, and resolve the host itself. */
const BYPASSES = ["NO_PROXY", "no_proxy"];

/** What this process was started with. */
export interface StartedWith {
  /** The original environment, without the variables that the program passes to itself; it never changes. */
  readonly environment: Environment;
  /** The mode chosen before the re-execution; absent in the first run. */
  readonly engine?: Engine;
  /** The whole standard input, where it was read before the re-execution. */
  readonly stdin?: Uint8Array;
  /** Warnings given before the re-execution. */
  readonly warned?: readonly Warning[];
}

/** What is passed to the re-executed program. */
export type Handover = Pick<StartedWith, "stdin" | "warned">;

/**
 * Reads the environment, and removes from process.env what neither the runtime nor child processes may see. Call it
 * once, before anything else; everything else uses its result and never touches process.env.
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

/** Ignores the choice of another process. */
function chosenEngine(text = ""): Engine | undefined {
  const [pid, name] = text.split(":");
  return Number(pid) === process.pid && isEngine(name) ? name : undefined;
}

function isEngine(name: string | undefined): name is Engine {
  return name !== undefined && Object.hasOwn(ENGINES, name);
}

/** Ignores what was passed to another process. */
function handedOver(text = ""): Uint8Array | undefined {
  const [, pid, bytes = ""] = FORM.exec(text) ?? [];
  return Number(pid) === process.pid ? Buffer.from(bytes, "base64") : undefined;
}

/** Whether the administrator set the engine mode in the environment. */
export function choosesEngine(environment: Environment): boolean {
  return environment[OPTION] !== undefined;
}

/**
 * With which environment the program starts itself anew in this process.
 *
 * @param handover.stdin the whole standard input, where it has been read
 * @param handover.warned what was warned of so far; what takes more than 64 KiB is left out, and is warned of again
 */
export function environmentOfRestart(environment: Environment, engine: Engine, handover: Handover = {}): Environment {
  const { stdin, warned = [] } = handover;
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
