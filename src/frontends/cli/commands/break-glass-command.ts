import { parseDuration } from "../../../core/encoding/duration.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { type BreakGlassFile, MAX_BROKEN } from "../../../core/policy/break-glass.ts";
import { parseScope } from "../../../core/policy/scope.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { denialOf } from "../../../io/fs/access.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { readBreakGlassFile } from "../../../io/settings/break-glass-file.ts";
import { breakGlassPath } from "../../../io/settings/break-glass-path.ts";
import { removeBreakGlassFile, writeBreakGlassFile } from "../../../io/settings/write-break-glass.ts";
import { asContainerdSees } from "../../../platform/containerd/containerd-environment.ts";
import { daemonAt } from "../../../platform/containerd/daemon.ts";
import { chooseSocket } from "../../../platform/containerd/known-sockets.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { folded, painted, type Screen, screenOf } from "../terminal/screen.ts";

type Options = LineOf<"break-glass">["options"];

/** Shortest time, in milliseconds: less is a typing error. */
const SHORTEST = 60_000;
const EXAMPLE = "write: atcr-verify break-glass --for 2h --scope 'registry.example.com/team/**' --reason 'INC-1234'";

/** `atcr-verify break-glass`: shows, declares or ends this node's emergency. */
export async function breakGlassCommand(
  { options }: LineOf<"break-glass">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const wanted = readWanted(options);
  // The file that pulls read, whatever this shell sets.
  const environment = asContainerdSees(lifecycle.environment, daemonAt(chooseSocket(options.address).address));
  const path = breakGlassPath(environment);
  const before = readBreakGlassFile(environment, Date.now());
  if (wanted !== undefined && process.geteuid?.() !== 0)
    reject("config.invalid", `only root can change ${path}; run this with sudo`);
  if (wanted === "end") attempt(path, () => removeBreakGlassFile(environment));
  else if (wanted !== undefined) declare(wanted, path, environment);
  const after = wanted === undefined ? before : readBreakGlassFile(environment, Date.now());
  const screen = screenOf(lifecycle.environment);
  const state = { path, file: after, ...(wanted === "end" && before !== undefined && { ended: before }) };
  const report = options.output === "json" ? jsonText(toJson(state)) : toText(state, screen);
  return lifecycle.print(report, wanted === undefined && after !== undefined ? 1 : 0);
}

interface Wanted {
  /** Milliseconds. */
  readonly span: number;
  readonly scopes: readonly string[];
  readonly reason: string;
}

/** @returns undefined where only the state is asked for */
function readWanted({ for: time, scope, reason, end }: Options): Wanted | "end" | undefined {
  const given = [
    time !== undefined && "--for",
    scope.length > 0 && "--scope",
    reason !== undefined && "--reason",
  ].filter((name) => name !== false);
  if (end) {
    return given.length === 0 ? "end" : reject("input.malformed", `--end cannot be combined with ${given.join(", ")}`);
  }
  if (given.length === 0) return undefined;
  if (time === undefined || scope.length === 0 || reason === undefined) {
    const missing = ["--for", "--scope", "--reason"].filter((name) => !given.includes(name));
    return reject("input.malformed", `found no ${missing.join(" and no ")}; ${EXAMPLE}`);
  }
  const span = parseDuration(time);
  if (span === undefined || span < SHORTEST || span > MAX_BROKEN)
    return reject(
      "input.malformed",
      `--for is "${time}", expected a duration from 1m to 24h; run this again before it ends`,
    );
  for (const one of scope) {
    const parsed = parseScope(one);
    if ("expected" in parsed) reject("input.malformed", `--scope is "${one}", expected ${parsed.expected}`);
  }
  return { span, scopes: scope, reason };
}

function declare({ span, scopes, reason }: Wanted, path: string, environment: Environment): void {
  const now = Date.now();
  const file = attempt(path, () => writeBreakGlassFile(environment, { reason, scopes, until: now + span }, now));
  if (file?.active !== undefined) return;
  reject("config.invalid", `${path} was written, but has no effect: ${file?.because ?? "it is not there"}`);
}

function attempt<T>(path: string, change: () => T): T {
  try {
    return change();
  } catch (error) {
    if (error instanceof Rejection) throw error;
    return reject(
      "config.invalid",
      denialOf(error, "change", path) ?? `${path} cannot be changed: ${(error as Error).message}`,
      error,
    );
  }
}

interface State {
  readonly path: string;
  /** Undefined where there is no file. */
  readonly file: BreakGlassFile | undefined;
  /** The one that was removed. */
  readonly ended?: BreakGlassFile;
}

function toText({ path, file, ended }: State, screen: Screen): string {
  if (file === undefined) {
    const was = ended === undefined ? "break-glass is not active" : `break-glass ended: ${path} was removed`;
    return folded(detailLine(`${was}; no refused pull is let through`), screen);
  }
  if (file.active === undefined) {
    const text = detailLine(`break-glass is not active: ${path} has no effect: ${file.because}`);
    return painted(folded(text, screen), "yellow", screen);
  }
  const { reason, until, scopes } = file.active;
  const left = Math.ceil((until - Date.now()) / SHORTEST);
  const lines = [
    `BREAK-GLASS IS ACTIVE until ${formatDateTime(until)}, for ${Math.floor(left / 60)} h ${left % 60} min`,
    `  images  ${scopes.map(({ text }) => text).join(", ")}`,
    `  reason  ${reason}`,
    `  file    ${path}`,
    "  means   refused pulls of these images are let through, also while policy or configuration cannot be read; what the policy denies by name or digest stays refused",
    "  see     atcr-verify log --audited",
    "  end     atcr-verify break-glass --end",
  ];
  return painted(folded(lines.map(detailLine).join(""), screen, "  reason  ".length - 2), "red", screen);
}

function toJson({ path, file, ended }: State) {
  const active = file?.active;
  return {
    active: active !== undefined,
    path,
    ...(active && {
      until: formatDateTime(active.until),
      scopes: active.scopes.map(({ text }) => text),
      reason: active.reason,
    }),
    ...(file !== undefined && file.active === undefined && { because: file.because }),
    ...(ended !== undefined && { ended: true }),
  };
}
