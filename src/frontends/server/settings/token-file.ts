import { basename } from "node:path";
import { reject } from "../../../core/rejection.ts";
import { readMountedSecret } from "../../../io/fs/mounted-secret.ts";

/** A bearer token. */
export interface Token {
  /** For the log: of the line, or made from the file's base name and the line's number. */
  readonly name: string;
  readonly secret: string;
}

/** Bytes of a file: its most lines, of the usual length. */
const MAX_TOKEN_FILE = 256 * 1024;
/** Most lines of a file: every token is compared with, at each request. */
const MAX_LINES = 1000;
/** Fewer characters could be guessed. */
const MIN_SECRET = 16;
/** More would not fit into the headers of some clients. */
const MAX_SECRET = 1024;
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9._@]{0,61}[A-Za-z0-9])?$/;
/** What a header can carry as a bearer token (RFC 6750 2.1). It has no colon, so a line has at most one. */
const SECRET = /^[-A-Za-z0-9._~+/]+=*$/;

/** @throws Rejection config.invalid where the file cannot be read, or others can */
export function tokenText(path: string): string {
  return readMountedSecret({ path, code: "config.invalid", what: "the token file", max: MAX_TOKEN_FILE });
}

/** Nobody starts a server for nobody: the file was not filled yet, or is another one. @throws Rejection config.invalid */
export function demandTokens(tokens: readonly Token[], path: string): void {
  if (tokens.length === 0)
    reject("config.invalid", `${path} names no token, expected a line NAME:SECRET (server.tokenFiles)`);
}

/**
 * Reads the lines of a token file: `NAME:SECRET` or the secret alone. Empty lines and those that begin with `#` are
 * skipped. A file without tokens is valid: nobody is let in by it any more.
 *
 * @param text of the file
 * @param path of the file, for messages and names
 * @throws Rejection config.invalid, which names the line and never repeats a part of it
 */
export function readTokens(text: string, path: string): readonly Token[] {
  const lines = text.split("\n");
  const last = lines.at(-1) === "" ? lines.length - 1 : lines.length;
  if (last > MAX_LINES) reject("config.invalid", `${path} has ${last} lines, expected at most ${MAX_LINES}`);
  const byName = new Map<string, number>();
  const bySecret = new Map<string, number>();
  return lines.flatMap((line, i): Token[] => {
    const written = line.trim();
    if (written === "" || written.startsWith("#")) return [];
    const fail = (found: string, expected: string): never =>
      reject("config.invalid", `${path}:${i + 1}: found ${found}, expected ${expected}`);
    const token = readLine(written, `${basename(path)}:${i + 1}`, fail);
    for (const [what, seen, value] of [
      ["name", byName, token.name],
      ["secret", bySecret, token.secret],
    ] as const) {
      const before = seen.get(value);
      if (before !== undefined) fail(`the ${what} of line ${before} again`, "each once");
      seen.set(value, i + 1);
    }
    return [token];
  });
}

function readLine(written: string, instead: string, fail: (found: string, expected: string) => never): Token {
  const colon = written.indexOf(":");
  const name = colon < 0 ? instead : written.slice(0, colon);
  const secret = written.slice(colon + 1);
  if (colon >= 0 && !NAME.test(name))
    fail("a name of another form", "at most 63 letters, digits and -._@ before the colon, or the secret alone");
  if (secret.length < MIN_SECRET)
    fail(`a secret of ${secret.length} characters`, `at least ${MIN_SECRET}; make one with: openssl rand -hex 32`);
  if (secret.length > MAX_SECRET) fail(`a secret of ${secret.length} characters`, `at most ${MAX_SECRET}`);
  if (!SECRET.test(secret))
    fail("a secret with other characters", "letters, digits and -._~+/ alone, and = at its end (RFC 6750)");
  return { name, secret };
}
