import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BINARY } from "./binary.ts";
import { debianTool, missingTool } from "./debian-tools.ts";
import { makeTemporaryDirectory } from "./process.ts";

const run = promisify(execFile);
/** The machine's own, where packaging/fetch-debian-tools.sh has brought none. */
const SYSTEM_TMUX = "/usr/bin/tmux";
const LIBRARIES = join(import.meta.dirname, "../../build/debian/tmux/usr/lib");
/** Lines that tmux keeps; more than any command under test prints. */
const HISTORY = 5000;
const KILL_AFTER = 30_000;
const END = /^\[ended with (\d+)\]$/m;

/** What to pass to `requirement`. */
export function missingTmux(): string | undefined {
  return existsSync(SYSTEM_TMUX) ? undefined : missingTool("tmux");
}

export interface Shown {
  readonly code: number;
  /** The lines that the program printed, whole, even where the terminal has broken them; without colour. */
  readonly lines: readonly string[];
  /** Rows of the terminal as it breaks lines, without colour. */
  readonly rows: readonly string[];
  /** The same with the escape sequences of colours, `\\u001b[31m`; what is not printable ASCII is as in JSON. */
  readonly coloured: readonly string[];
}

interface Options {
  readonly columns: number;
  /** The whole environment of the program; TERM is tmux's, if it is not among it. */
  readonly env: Readonly<Record<string, string>>;
  /** Run by this program, which is given the binary and its arguments. */
  readonly through?: readonly string[];
}

/** Runs the program in a terminal of this width, and reads what is then on it and above it. */
export async function showInTerminal(args: readonly string[], { columns, env, through = [] }: Options): Promise<Shown> {
  const folder = makeTemporaryDirectory("terminal");
  const hasOwn = missingTool("tmux") === undefined;
  const program = hasOwn ? debianTool("tmux") : SYSTEM_TMUX;
  const libraries = hasOwn ? readdirSync(LIBRARIES).map((name) => join(LIBRARIES, name)) : [];
  const own = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", TMUX_TMPDIR: folder, LD_LIBRARY_PATH: libraries.join(":") };
  const tmux = async (...command: readonly string[]): Promise<string> => {
    const { stdout } = await run(program, ["-f", "/dev/null", "-L", "test", ...command], { env: own });
    return stdout;
  };
  const variables = Object.entries({ TERM: "tmux-256color", ...env }).map(([name, value]) => `${name}=${value}`);
  // The pane stays until it has been read.
  const script = `"$@"; printf '[ended with %s]\\n' "$?"; exec sleep 60`;
  const command = ["sh", "-c", script, "sh", "env", "-i", ...variables, ...through, BINARY, ...args];
  try {
    const size = ["-x", String(columns), "-y", "24"];
    await tmux(
      "new-session",
      "-d",
      ...size,
      ";",
      "set-option",
      "-g",
      "history-limit",
      String(HISTORY),
      ";",
      "new-window",
      ...command,
    );
    const read = (...how: readonly string[]) => tmux("capture-pane", "-p", "-S", "-", ...how);
    for (const begun = Date.now(); Date.now() - begun < KILL_AFTER; await sleep(50)) {
      const joined = await read("-J");
      const [end, code = ""] = END.exec(joined) ?? [];
      if (end === undefined) continue;
      const [rows, coloured] = [await read(), await read("-e")];
      return {
        code: Number(code),
        lines: linesOf(joined, end),
        rows: linesOf(rows, end),
        coloured: linesOf(coloured, end).map((line) => JSON.stringify(line).slice(1, -1)),
      };
    }
    throw new Error(`no end after ${KILL_AFTER} ms:\n${await read()}`);
  } finally {
    await tmux("kill-server").catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without what stands below the program's own. */
function linesOf(text: string, end: string): readonly string[] {
  return text
    .slice(0, text.indexOf(end))
    .split("\n")
    .slice(0, -1)
    .map((line) => line.trimEnd());
}
