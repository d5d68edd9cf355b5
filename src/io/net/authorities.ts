import { findCertificates, lineAt } from "../../core/encoding/pem.ts";
import type { Warn } from "../../core/warning.ts";
import type { PemFile } from "./exchange.ts";
import type { SystemRoots } from "./system-roots.ts";

/** Most certificates trusted for one host: each TLS context parses all of them. */
const MAX_AUTHORITIES = 2000;

/** Advice where a host's certificate chains to no authority that is trusted. A kubeconfig has its own place for it. */
export const ADD_AUTHORITY =
  "add its CA to network.caFiles or to ca in hosts.toml, or make the server send its intermediate certificates";

/** Certificates that can be parsed, and the problems of the others. */
export interface ExaminedPem {
  readonly readable: readonly string[];
  readonly problems: readonly string[];
}

/** The authorities trusted for one host. */
interface List {
  readonly certificates: readonly string[];
  /** Why others are not used, as sentences. */
  readonly problems: readonly string[];
}

/**
 * The certificate authorities trusted for a host (spec 4): the system's, the configured ones and the host's own. The
 * runtime's built-in ones never count: the runtime uses them only if no list is given, so no request is sent with an
 * empty list.
 */
export class Authorities {
  readonly #readSystem: () => SystemRoots;
  readonly #configured: readonly PemFile[];
  /** Keyed by the host's own files, so that requests to one host share a TLS context and its connections. */
  readonly #lists = new Map<readonly PemFile[], List>();
  /** Certificates that cannot be parsed. */
  readonly #unreadable = new Set<string>();
  /** Keys of the lists whose certificates have been parsed. */
  readonly #parsed = new Set<readonly PemFile[]>();
  #system: SystemRoots | undefined;

  /**
   * @param readSystem called once, at the first request over TLS
   * @param configured network.caFiles
   */
  constructor(readSystem: () => SystemRoots, configured: readonly PemFile[]) {
    this.#readSystem = readSystem;
    this.#configured = configured;
  }

  /**
   * @param warn receives unused certificates and files at each call, so that each verification reports them
   * @param own the host's own authorities, the same array at each request
   * @returns PEM texts, one certificate each, without duplicates; empty where there is none
   */
  of(warn: Warn, own: readonly PemFile[] = NONE): readonly string[] {
    const list = this.#lists.get(own) ?? this.#listOf(own);
    this.#lists.set(own, list);
    for (const message of list.problems) warn({ code: "authority.unusable", message });
    return list.certificates;
  }

  /**
   * Parses the certificates, once for each host. That takes 6 ms for 140 of them and the runtime parses them anyway, so
   * it is done only after the runtime has refused the list, which it accepts or refuses as a whole.
   *
   * @returns those of {@link of} that can be parsed
   */
  async readable(warn: Warn, own: readonly PemFile[] = NONE): Promise<readonly string[]> {
    const before = this.of(warn, own);
    if (this.#parsed.has(own)) return before;
    this.#parsed.add(own);
    const good = new Set((await examine(this.#filesOf(own))).readable);
    for (const pem of before) if (!good.has(pem)) this.#unreadable.add(pem);
    this.#lists.delete(own);
    return this.of(warn, own);
  }

  #listOf(own: readonly PemFile[]): List {
    const files = this.#filesOf(own);
    const problems = [...(this.#system?.problems ?? [])];
    const list = new Set<string>();
    for (const { path, text } of files) {
      for (const { at, pem } of findCertificates(text)) {
        if (pem === undefined) problems.push(hasNoEnd(path, lineAt(text, at)));
        else if (this.#unreadable.has(pem)) problems.push(isNotParsed(path, lineAt(text, at)));
        else list.add(pem);
      }
    }
    const certificates = [...list].slice(0, MAX_AUTHORITIES);
    if (certificates.length < list.size)
      problems.push(`only the first ${certificates.length} of ${list.size} certificate authorities are trusted`);
    return { certificates, problems };
  }

  #filesOf(own: readonly PemFile[]): readonly PemFile[] {
    this.#system ??= this.#readSystem();
    return [...this.#system.files, ...this.#configured, ...own];
  }
}

const NONE: readonly PemFile[] = [];

/** Parses the certificates of these files; the doctor uses the same function as requests do. */
export async function examine(files: readonly PemFile[]): Promise<ExaminedPem> {
  const { X509Certificate } = await import("node:crypto");
  const readable = new Set<string>();
  const problems: string[] = [];
  for (const { path, text } of files) {
    for (const { at, pem } of findCertificates(text)) {
      if (pem === undefined) {
        problems.push(hasNoEnd(path, lineAt(text, at)));
        continue;
      }
      try {
        new X509Certificate(pem);
        readable.add(pem);
      } catch {
        problems.push(isNotParsed(path, lineAt(text, at)));
      }
    }
  }
  return { readable: [...readable], problems };
}

function hasNoEnd(path: string, line: number): string {
  return `${path}:${line}: the certificate that begins here has no END line; it is not used`;
}

function isNotParsed(path: string, line: number): string {
  return `${path}:${line}: the certificate that begins here cannot be parsed; it is not used`;
}
