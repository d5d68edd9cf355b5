import { formatDateTime } from "../../../core/encoding/time.ts";
import type { BreakGlassFile } from "../../../core/policy/break-glass.ts";
import { readServerBreakGlass } from "../../../core/policy/parse-server-break-glass.ts";
import { breakGlassFor, isInForce, type ServerBreakGlass } from "../../../core/policy/server-break-glass.ts";
import { readTrustedFile } from "../../../io/fs/local-file.ts";
import { type FileState, LastGood, type OnChange } from "./last-good.ts";

/** Namespaces in a line, and scopes. */
const SHOWN = 20;

/** Break-glass as its file is now: with any mistake in it, it is not active. */
export class BreakGlassInUse {
  readonly #path: () => string | undefined;
  readonly #announce: (line: string) => void;
  readonly #file: LastGood<readonly [path: string, text: string] | null, ServerBreakGlass | null>;
  /** The line of the one that is active. */
  #announced: string | undefined;

  /**
   * @param path of the file, as configured now
   * @param announce prints that it begins or ends
   */
  constructor(path: () => string | undefined, report: OnChange, announce: (line: string) => void) {
    this.#path = path;
    this.#announce = announce;
    this.#file = new LastGood(
      {
        subject: { what: "break_glass" },
        path,
        read: () => this.#read(),
        parse: (file) => file && readServerBreakGlass(file[1], file[0]),
        described: (value) => (value === null ? "there is none, so it is not active" : undefined),
        meanwhile: "it is not active",
      },
      report,
    );
  }

  get state(): FileState {
    return this.#file.state;
  }

  /** Reads the file again. @param now milliseconds since 1970 */
  poll(now: number): void {
    this.#file.poll(now);
    const active = this.#active(now);
    const line = active && beginOf(active);
    if (line !== this.#announced) this.#announce(line ?? "break-glass is over: refusals are enforced again");
    this.#announced = line;
  }

  /** That which applies to a request in this namespace. @param now milliseconds since 1970 */
  for(namespace: string | undefined, now: number): BreakGlassFile | undefined {
    return breakGlassFor({ path: this.#path() ?? "", breakGlass: this.#valid }, namespace, now);
  }

  /** When it ends, where it is active for some namespace; as `now`, milliseconds since 1970. */
  until(now: number): number | undefined {
    return this.#active(now)?.until;
  }

  #active(now: number): ServerBreakGlass | undefined {
    const valid = this.#valid;
    return valid !== undefined && isInForce(valid, now) ? valid : undefined;
  }

  /** With any mistake in its file it is not active, as on a node: what was valid before may be what was just withdrawn. */
  get #valid(): ServerBreakGlass | undefined {
    return this.#file.isKnown && this.#file.state.ok ? (this.#file.value ?? undefined) : undefined;
  }

  #read(): readonly [path: string, text: string] | null {
    const path = this.#path();
    if (path === undefined) return null;
    const text = readTrustedFile({ path, code: "config.invalid", what: "the break-glass file" });
    return text === undefined ? null : [path, text];
  }
}

function beginOf({ until, namespaces, scopes, reason }: ServerBreakGlass): string {
  const images = listed(scopes.map(({ text }) => text));
  return `BREAK-GLASS IS ACTIVE until ${formatDateTime(until)} for ${images} in namespaces ${listed([...namespaces])}: ${reason}`;
}

function listed(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return `${names.slice(0, SHOWN).join(", ")}${more}`;
}
