import type { YamlFile, YamlPath } from "../encoding/yaml.ts";
import { isLoopback, type ListenAddress, listenText, parseListen } from "./listen-address.ts";
import { GATE_EXPECTED, type ServerShape } from "./server-schema.ts";
import {
  GATES,
  type GateName,
  type Listener,
  OPEN_GATES,
  type ServerSettings,
  type TlsFiles,
} from "./server-settings.ts";

/** A DNS label (RFC 1123 2.1), as Kubernetes names things: it needs no escape in a URL's path. */
const NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME_EXPECTED = "lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends";
/** In place of an address that cannot be read, while mistakes are collected. */
const NOWHERE = { address: "", port: 0, isLoopback: true };

/**
 * Reads the key `server`.
 *
 * @throws Rejection config.invalid
 */
export function readServer(file: YamlFile, server: ServerShape | undefined): { readonly server?: ServerSettings } {
  if (server === undefined) return {};
  const tokenFiles = (server.tokenFiles ?? []).map((text, i) => readPath(file, text, ["server", "tokenFiles", i]));
  refuseDuplicates(file, tokenFiles, ["server", "tokenFiles"]);
  return {
    server: {
      listeners: readListeners(file, server, tokenFiles.length > 0),
      tokenFiles,
      policies: readPolicies(file, server.policies ?? {}),
      tags: server.tags ?? "refuse",
      ...(server.breakGlassFile !== undefined && {
        breakGlassFile: readPath(file, server.breakGlassFile, ["server", "breakGlassFile"]),
      }),
    },
  };
}

function readListeners(file: YamlFile, server: ServerShape, hasTokens: boolean): readonly Listener[] {
  const path = ["server"];
  const { listen, listeners, gates, tls } = server;
  if (listeners === undefined) {
    if (listen === undefined) {
      const [found, expected] = ["neither listen nor listeners", "one of them"];
      return file.attempt([], () => file.fail({ path, found, expected }));
    }
    return [readListener(file, { listen, gates, tls, path, key: "server", hasTokens })];
  }
  for (const key of ["listen", "gates", "tls"] as const) {
    if (server[key] === undefined) continue;
    const at = { path: [...path, key], isKey: true };
    const expected = "each listener to have its own";
    file.attempt(undefined, () => file.fail({ ...at, found: `${key} beside listeners`, expected }));
  }
  const all = listeners.map((one, i) => {
    const written = { ...one, path: [...path, "listeners", i], key: `server.listeners[${i}]` };
    return readListener(file, { ...written, hasTokens });
  });
  for (const [i, one] of all.entries()) {
    const other = all.slice(0, i).find((before) => isTakenBy(before, one));
    if (other === undefined) continue;
    const expected = `an address other than ${listenText(other)}, which another listener has`;
    file.attempt(undefined, () => file.fail({ path: [...path, "listeners", i, "listen"], expected }));
  }
  return all;
}

interface WrittenListener {
  readonly listen: string;
  readonly gates?: readonly string[] | undefined;
  readonly tls?: NonNullable<ServerShape["tls"]> | undefined;
  readonly path: YamlPath;
  /** The path as messages have it. */
  readonly key: string;
  readonly hasTokens: boolean;
}

/** Without tls, an address that only this machine reaches, or only what everybody may see. */
function readListener(file: YamlFile, { listen, gates, tls, path, key, hasTokens }: WrittenListener): Listener {
  const { isLoopback: isLocal, ...address } = readListen(file, listen, [...path, "listen"]);
  const isKnown = isLocal || hasTokens || tls?.clientCaFile !== undefined;
  // Gates that nobody listed are served only where they may be.
  const served =
    gates === undefined
      ? GATES.filter((gate) => gate !== "verify" || isKnown)
      : readGates(file, gates, [...path, "gates"]);
  file.attempt(undefined, () => {
    if (tls !== undefined || isLocal || served.every((gate) => OPEN_GATES.includes(gate))) return;
    const found = `no tls for ${listenText(address)}`;
    const expected = `tls, except on a loopback address or for ${OPEN_GATES.join(" and ")} alone`;
    file.fail({ path: [...path, "listen"], found, expected });
  });
  file.attempt(undefined, () => {
    if (isKnown || !served.includes("verify")) return;
    const found = "the gate verify, which anybody could ask about images that only the server's credentials reach";
    const expected = "server.tokenFiles, clientCaFile in its tls, or a loopback address";
    file.fail({ path: [...path, "gates", gates?.indexOf("verify") ?? 0], found, expected });
  });
  return { key, ...address, gates: served, ...(tls !== undefined && { tls: readTls(file, tls, [...path, "tls"]) }) };
}

function readGates(file: YamlFile, texts: readonly string[], path: YamlPath): readonly GateName[] {
  refuseDuplicates(file, texts, path);
  return texts.flatMap((text, i) =>
    file.attempt([], () => {
      const gate = GATES.find((name) => name === text);
      return gate === undefined ? file.fail({ path: [...path, i], expected: GATE_EXPECTED }) : [gate];
    }),
  );
}

function readListen(file: YamlFile, text: string, path: YamlPath): ListenAddress & { readonly isLoopback: boolean } {
  return file.attempt(NOWHERE, () => {
    const parsed = parseListen(text);
    if (parsed === undefined)
      return file.fail({
        path,
        expected: "an IP address and a port, such as 127.0.0.1:8443, 0.0.0.0:8443 or [::]:8443",
      });
    return { address: parsed.address, port: parsed.port, isLoopback: isLoopback(parsed.ip) };
  });
}

function readTls(file: YamlFile, tls: NonNullable<ServerShape["tls"]>, path: YamlPath): TlsFiles {
  const { certFile, keyFile, clientCaFile } = tls;
  return {
    certFile: readPath(file, certFile, [...path, "certFile"]),
    keyFile: readPath(file, keyFile, [...path, "keyFile"]),
    ...(clientCaFile !== undefined && { clientCaFile: readPath(file, clientCaFile, [...path, "clientCaFile"]) }),
  };
}

/** Whether the second of two listeners could not be opened: 0.0.0.0 is every IPv4 address, and :: every address. */
function isTakenBy(first: ListenAddress, second: ListenAddress): boolean {
  if (first.port !== second.port || first.port === NOWHERE.port) return false;
  const [one, other] = [first.address, second.address];
  if (one === other || one === "::" || other === "::") return true;
  return (one === "0.0.0.0" && !other.includes(":")) || (other === "0.0.0.0" && !one.includes(":"));
}

function readPolicies(file: YamlFile, policies: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(policies).map(([name, text]) => {
      const path = ["server", "policies", name];
      file.attempt(undefined, () => {
        if (!NAME.test(name))
          file.fail({ path, isKey: true, found: `the name ${JSON.stringify(name)}`, expected: NAME_EXPECTED });
      });
      return [name, readPath(file, text, path)];
    }),
  );
}

function readPath(file: YamlFile, text: string, path: YamlPath): string {
  if (text.startsWith("/") && !text.includes("\0")) return text;
  return file.attempt(text, () => file.fail({ path, expected: "an absolute path" }));
}

function refuseDuplicates(file: YamlFile, texts: readonly string[], path: YamlPath): void {
  const index = texts.findIndex((text, i) => texts.indexOf(text) !== i);
  file.attempt(undefined, () => {
    if (index >= 0) file.fail({ path: [...path, index], expected: "each entry once" });
  });
}
