import { resolve } from "node:path";
import type { Config } from "../../../core/config/config.ts";
import { field, type JsonObject } from "../../../core/encoding/json.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { reject } from "../../../core/rejection.ts";
import type { Warning } from "../../../core/warning.ts";
import { denialOf } from "../../../io/fs/access.ts";
import { type LogPosition, type Read, readLog } from "../../../io/log/read-log.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { EXIT_STATUS_DENIED } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount, detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { logSummary, PROBE } from "../terminal/log-summary.ts";
import { folded, screenOf } from "../terminal/screen.ts";

const DEFAULT_LINES = 20;
const MAX_LINES = 100_000;
/** Milliseconds between reads of a followed log. */
const POLL = 500;
/** Allowed, although they failed verification. */
const WATCHED: ReadonlySet<unknown> = new Set(["audited", "break_glass"]);

/** `atcr-verify log`: decisions on pulls, the latest last. */
export async function logCommand({ options }: LineOf<"log">, lifecycle: ProcessLifecycle): Promise<never> {
  const { summary: isSummary, refused, audited, image, file } = options;
  if (isSummary && options.follow) reject("input.malformed", "--summary cannot be combined with --follow");
  const count = isSummary && options.lines === undefined ? MAX_LINES : readCount(options.lines);
  const path = file ?? logFile(loadConfig(lifecycle.environment, options.config));
  const isJson = options.output === "json";
  const screen = screenOf(lifecycle.environment);
  const print = isJson ? asJson : (decision: JsonObject) => folded(asText(decision), screen);
  const isMeant = selector(refused, audited, image);

  const refuse = (why: string, cause: unknown): never => {
    const denied = denialOf(cause, "read", path);
    if (denied === undefined) reject("config.invalid", why, cause);
    return lifecycle.print(
      isJson
        ? jsonText({ warnings: [{ code: "access.denied", message: denied } satisfies Warning] })
        : detailLine(denied),
      EXIT_STATUS_DENIED,
    );
  };
  const found = readOr(resolve(path), refuse);
  const read = found ?? NOTHING;
  // A log that was rotated recently has few decisions.
  const enough = (of: Read): boolean => of.decisions.filter(isMeant).length >= count;
  const unread = (why: string): Read => {
    lifecycle.warnings.warn({ code: "log.unreadable", message: why });
    return NOTHING;
  };
  const before = enough(read) ? NOTHING : (readOr(resolve(`${path}.1`), unread) ?? NOTHING);
  // A followed log may appear later, and only the rotated file may exist.
  if (file !== undefined && found === undefined && before === NOTHING && !options.follow)
    reject("input.malformed", `--file: there is no file ${path}`);
  const all = [...before.decisions, ...read.decisions];
  const matching = all.filter(isMeant);
  const shown = matching.slice(-count);
  if (read.unreadable > 0)
    lifecycle.warnings.warn({
      code: "log.unreadable",
      message: `${amount(read.unreadable, "line")} of ${path} could not be read as decisions`,
    });
  const isSearched = refused || audited || image !== undefined || all.length === 0;
  if ((isSearched || isSummary) && shown.length < count)
    lifecycle.diagnose(printable(searched(path, all, shown.length > 0)));
  // Otherwise the latest decisions could be mistaken for all of them.
  if (isSearched && options.lines === undefined && matching.length > shown.length)
    lifecycle.diagnose(
      `the latest ${shown.length} of ${matching.length} matching decisions; --lines N shows more, --summary counts all`,
    );
  const text = isSummary ? logSummary(shown, isJson, screen) : shown.map(print).join("");
  if (!options.follow) return lifecycle.print(text, shown.length > 0 ? 0 : 1);
  void lifecycle.standBy();
  lifecycle.say(text);
  const show = (more: readonly JsonObject[]): void => lifecycle.say(more.filter(isMeant).map(print).join(""));
  return follow(path, read.place, show, refuse, unread);
}

/** How far back the search went. */
function searched(path: string, all: readonly JsonObject[], hasMatch: boolean): string {
  const [first] = all;
  if (first === undefined)
    return `there are no decisions in ${path}: nothing was pulled yet, or decisions are logged elsewhere`;
  const time = field(first, "time");
  const what = hasMatch ? "searched decisions" : "no matching decisions";
  return `${what} since ${typeof time === "string" ? time : "an unknown time"}`;
}

function readCount(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LINES;
  const count = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= MAX_LINES
    ? count
    : reject("input.malformed", `--lines is "${text}", expected a number from 1 to ${MAX_LINES}`);
}

function logFile({ decisionLog }: Config): string {
  if (decisionLog.kind === "file") return decisionLog.path;
  const instead =
    decisionLog.kind === "journald"
      ? "decisions go to journald; read them with: journalctl -t atcr-verify -o cat"
      : "decisionLog is none: no decision is logged";
  return reject("config.invalid", `${instead}; --file names another log`);
}

const NOTHING: Read = { decisions: [], unreadable: 0, place: { inode: 0, offset: 0 } };

/** As {@link readLog}. @param otherwise called if it exists but cannot be read */
function readOr(path: string, otherwise: (why: string, cause: unknown) => Read, after?: LogPosition): Read | undefined {
  try {
    return readLog(path, after);
  } catch (error) {
    return otherwise(`the log ${path} cannot be read: ${(error as Error).message}`, error);
  }
}

function selector(refused: boolean, audited: boolean, image: string | undefined): (decision: JsonObject) => boolean {
  return (decision) => {
    // The doctor's own pulls are always refused, so they are left out.
    const isRefused = field(decision, "outcome") !== "allow" && field(decision, "code") !== PROBE;
    const isAudited = WATCHED.has(field(decision, "code"));
    if ((refused || audited) && !(refused && isRefused) && !(audited && isAudited)) return false;
    return (
      image === undefined ||
      [field(decision, "image"), field(decision, "digest")].some(
        (one) => typeof one === "string" && one.includes(image),
      )
    );
  };
}

function asJson(decision: JsonObject): string {
  return `${printable(JSON.stringify(decision))}\n`;
}

function textIn(decision: JsonObject, name: string): string {
  const value = field(decision, name);
  return typeof value === "string" ? value : "-";
}

function asText(decision: JsonObject): string {
  const text = (name: string): string => textIn(decision, name);
  const ms = field(decision, "ms");
  const total = typeof ms === "object" && ms !== null ? field(ms as JsonObject, "total") : undefined;
  const took = typeof total === "number" ? ` ${total} ms` : "";
  const [digest, reason] = [text("digest"), text("reason")];
  const which = digest === "-" || reason.includes(digest) ? text("image") : `${text("image")}  ${digest}`;
  return detailLine(`${text("time")}${took}  ${which}  ${reason}`);
}

/** Polls until the process ends; a rotated log is read to its end first. */
async function follow(
  path: string,
  from: LogPosition,
  show: (more: readonly JsonObject[]) => void,
  refuse: (why: string, cause: unknown) => never,
  unread: (why: string) => Read,
): Promise<never> {
  let place = from;
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL));
    const read = readOr(path, refuse, place);
    if (read === undefined) continue; // between two files
    if (read.place.inode !== place.inode) {
      const rest = readOr(`${path}.1`, unread, place);
      if (rest?.place.inode === place.inode) show(rest.decisions);
    }
    show(read.decisions);
    place = read.place;
  }
}
