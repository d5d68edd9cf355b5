import type { Listener, ServerSettings } from "../../../core/config/server-settings.ts";
import { loadPolicy } from "../../../io/settings/load-settings.ts";
import { AS_SERVER, mustBeUsable, type NamedFileFinding, unusable } from "../../../io/settings/named-files.ts";
import { readTlsFiles, TlsFault, validityWarning } from "../listening/certificates.ts";
import { minimalTls } from "../listening/listen-limits.ts";
import { openKeyWarning } from "../listening/open-key.ts";
import { tlsFront } from "../listening/tls-front.ts";
import { BreakGlassInUse } from "./break-glass-in-use.ts";
import { demandTokens, readTokens, tokenText } from "./token-file.ts";

const otherwise = "until then, the server does not start";
const SHARED = { otherwise, denied: `${AS_SERVER}: ${otherwise}` };

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
    ...[...policies].flatMap(([name, path]) =>
      mustBeUsable({ key: `server.policies.${name}`, path, ...SHARED }, loadPolicy),
    ),
    ...tokenFiles.flatMap((path, i) => mustBeUsable({ key: `server.tokenFiles[${i}]`, path, ...SHARED }, ofTokens)),
    ...unusableCertificates(server, now),
    ...(breakGlassFile === undefined ? [] : unusableBreakGlass(breakGlassFile, now)),
  ];
}

/** Each once: listeners may share one. */
function unusableCertificates({ listeners }: ServerSettings, now: number): readonly NamedFileFinding[] {
  const filesOf = ({ tls }: Listener): string => JSON.stringify(tls);
  const served = listeners.filter((one, i) => listeners.findIndex((other) => filesOf(other) === filesOf(one)) === i);
  return served.flatMap(({ key, tls, gates }) => {
    if (tls === undefined) return [];
    try {
      const material = readTlsFiles(tls);
      tlsFront(material, minimalTls(gates), () => {});
      const late = validityWarning(material, tls, now);
      const open = openKeyWarning(tls);
      return [
        ...(late === undefined ? [] : [warningOf(`${key}.tls.certFile`, late, "renew it")]),
        ...(open === undefined ? [] : [openKey(`${key}.tls.keyFile`, open)]),
      ];
    } catch (error) {
      const part = error instanceof TlsFault ? error.part : "certFile";
      return [unusable({ key: `${key}.tls.${part}`, path: tls[part] ?? tls.certFile, ...SHARED }, error)];
    }
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

function openKey(key: string, message: string): NamedFileFinding {
  return { severity: "warning", name: "key-open", key, message, advice: "then make a new key: this one may be known" };
}
