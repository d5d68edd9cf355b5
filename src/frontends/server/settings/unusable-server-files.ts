import type { ServerSettings } from "../../../core/config/server-settings.ts";
import { loadPolicy } from "../../../io/settings/load-settings.ts";
import { mustBeUsable, type NamedFileFinding } from "../../../io/settings/named-files.ts";
import { readTlsFiles, validityWarning } from "../listening/certificates.ts";
import { minimalTls } from "../listening/listen-limits.ts";
import { tlsFront } from "../listening/tls-front.ts";
import { BreakGlassInUse } from "./break-glass-in-use.ts";
import { demandTokens, readTokens, tokenText } from "./token-file.ts";

const ADVICE = "until then, the server does not start";

/**
 * What keeps the server from starting, of the files that `server` names, and what it warns of at its start. They are read as
 * it reads them, but nothing listens.
 *
 * @param now milliseconds since 1970
 */
export function unusableServerFiles(server: ServerSettings, now: number): readonly NamedFileFinding[] {
  const { policies, tokenFiles, breakGlassFile } = server;
  const ofTokens = (path: string): void => demandTokens(readTokens(tokenText(path), path), path);
  return [
    ...[...policies.values()].flatMap((path) => mustBeUsable("server.policies", path, ADVICE, loadPolicy)),
    ...tokenFiles.flatMap((path) => mustBeUsable("server.tokenFiles", path, ADVICE, ofTokens)),
    ...unusableCertificates(server, now),
    ...(breakGlassFile === undefined ? [] : unusableBreakGlass(breakGlassFile, now)),
  ];
}

/** Each once: listeners may share one. */
function unusableCertificates({ listeners }: ServerSettings, now: number): readonly NamedFileFinding[] {
  const key = "server.tls";
  const served = new Map(listeners.map((one) => [JSON.stringify(one.tls), one]));
  return [...served.values()].flatMap(({ tls, gates }) => {
    if (tls === undefined) return [];
    let late: string | undefined;
    const unusable = mustBeUsable(key, Object.values<string>({ ...tls }).join(" or "), ADVICE, () => {
      const material = readTlsFiles(tls);
      tlsFront(material, minimalTls(gates), () => {});
      late = validityWarning(material, tls, now);
    });
    return late === undefined ? unusable : [warningOf(key, late, "renew it")];
  });
}

/** A broken one ends nothing but break-glass. */
function unusableBreakGlass(path: string, now: number): readonly NamedFileFinding[] {
  const said: string[] = [];
  const breakGlass = new BreakGlassInUse(
    () => path,
    (_, message) => said.push(message),
    () => {},
  );
  breakGlass.poll(now);
  return said.map((message) => warningOf("server.breakGlassFile", message, "until then, it is not active"));
}

function warningOf(key: string, message: string, advice: string): NamedFileFinding {
  return { severity: "warning", name: "file-unusable", key, message, advice };
}
