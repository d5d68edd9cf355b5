import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { fromUtf8, toUtf8 } from "../../core/encoding/bytes.ts";
import { isJsonObject } from "../../core/encoding/json.ts";
import { CLOCK_SKEW } from "../../core/encoding/time.ts";
import type { Warn } from "../../core/warning.ts";
import { FileCache, UNSEALED } from "../fs/file-cache.ts";
import { replaceFile } from "../fs/replace-file.ts";
import { ProcessLocks } from "../store/process-lock.ts";
import { add, metricsText, NOTHING, type Tally } from "./metrics.ts";

const TOTALS = "totals";
const TURN = "metrics";
/** Most rounds per process: in a burst, the next process adds up the rest. */
const MAX_ROUNDS = 3;
const WAITING = { bytes: 16 * 1024, count: 4096 };
const TOTALS_BOUNDS = { bytes: 256 * 1024, count: 4 };
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;

/** All decisions so far, and the names of the tallies added last, so that none counts twice. */
interface Totals {
  readonly tally: Tally;
  readonly added: readonly string[];
}

/**
 * Counts a decision. Each process writes its tally to a file of its own; the one that gets the lock adds up all tallies
 * and writes the metrics text. So no process waits for another, and no tally is lost.
 *
 * @param stateDir absolute path
 * @param metricsFile absolute path of the metrics text
 * @param warn of `metrics.not_written`
 */
export async function countDecision(
  tally: Tally,
  { stateDir, metricsFile, version }: { stateDir: string; metricsFile: string; version: string },
  warn: Warn,
): Promise<void> {
  const notWritten: Warn = ({ message }) => warn({ code: "metrics.not_written", message });
  const waiting = new FileCache(stateDir, "metrics-waiting", WAITING, UNSEALED, notWritten);
  const whole = new FileCache(stateDir, "metrics", TOTALS_BOUNDS, UNSEALED, notWritten);
  await waiting.write(`${tally.at}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`, toUtf8(JSON.stringify(tally)));
  const processLocks = new ProcessLocks(stateDir, notWritten);
  for (let round = 0; round < MAX_ROUNDS && waiting.list().length > 0; round++) {
    if (!(await processLocks.take(TURN))) return;
    try {
      const all = await addUp(waiting, whole);
      if (all === undefined) return;
      writeText(metricsFile, metricsText(all, version));
    } catch (error) {
      warn({ code: "metrics.not_written", message: `${metricsFile} is not written: ${(error as Error).message}` });
      return;
    } finally {
      processLocks.end(TURN);
    }
  }
}

/** @returns undefined where the sum could not be written: the tallies then stay for the next process */
async function addUp(waiting: FileCache, whole: FileCache): Promise<Tally | undefined> {
  const { tally: before, added } = readTotals(whole);
  const names = waiting.list();
  const fresh = names.filter((name) => !added.includes(name));
  const tally = fresh.map((name) => asTally(parse(waiting.read(name)))).reduce(add, before);
  const isCached = await whole.write(TOTALS, toUtf8(JSON.stringify({ tally, added: names } satisfies Totals)));
  if (!isCached) return undefined;
  await waiting.remove((name) => names.includes(name));
  return tally;
}

function readTotals(whole: FileCache): Totals {
  const totals = parse(whole.read(TOTALS));
  if (!isJsonObject(totals) || !Array.isArray(totals["added"])) return { tally: NOTHING, added: [] };
  return { tally: asTally(totals["tally"]), added: totals["added"].filter((name) => typeof name === "string") };
}

/** Written by this program in root's folder, so it need only be checked for damage. */
function asTally(value: unknown): Tally {
  if (!isJsonObject(value)) return NOTHING;
  const { counters, gauges, at } = value;
  const areNumbers = (samples: unknown): samples is Record<string, number> =>
    isJsonObject(samples) && Object.values(samples).every((one) => typeof one === "number");
  if (typeof at !== "number" || !areNumbers(counters) || !areNumbers(gauges)) return NOTHING;
  // A tally from a clock that was ahead must not count as the latest until that time is reached.
  return { counters, gauges, at: at > Date.now() + CLOCK_SKEW ? 0 : at };
}

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse((bytes && fromUtf8(bytes)) ?? "");
  } catch {
    return undefined;
  }
}

/**
 * Opens the folder of the metrics text. The exporter may own it and its parents, so its path must have no symlink (by
 * what the kernel reports for the open folder): otherwise someone else could choose where root writes. In containerd's
 * bin_dir, for example, a file that is not executable blocks every pull.
 *
 * @returns a descriptor
 * @throws Error where it does not exist, or is reached through a symlink
 */
export function openMetricsFolder(metricsFile: string): number {
  const path = dirname(metricsFile);
  const folder = openSync(path, FOLDER_FLAGS);
  const real = readlinkSync(`/proc/self/fd/${folder}`);
  if (real === resolve(path)) return folder;
  closeSync(folder);
  throw new Error(`${path} is reached through a symlink, which others could change; use its real path: ${real}`);
}

/** Mode 0644: the exporter is another user. */
function writeText(metricsFile: string, text: string): void {
  const folder = openMetricsFolder(metricsFile);
  try {
    replaceFile(`/proc/self/fd/${folder}/${basename(metricsFile)}`, text, 0o644);
  } finally {
    closeSync(folder);
  }
}
