import { findCertificates, lineAt } from "../../core/encoding/pem.ts";
import type { PemFile } from "./exchange.ts";
import type { SystemRoots } from "./system-roots.ts";

/** Certificates that are trusted for one host at most; each host's TLS context parses all of its own. */
const MAX_AUTHORITIES = 2000;

/** Certificates that can be parsed, and where the others are. */
export interface ExaminedPem {
  readonly readable: readonly string[];
  readonly problems: readonly string[];
}

/**
 * The certificate authorities that may vouch for a host (spec 4): the system's, those of the configuration and the
 * host's own. Those that come with the runtime are never among them: they count only where no list is given, so no
 * request may go out with an empty one.
 */
export class Authorities {
  readonly #readSystem: () => SystemRoots;
  readonly #configured: readonly PemFile[];
  readonly #report: (warning: string) => void;
  /** By the host's own files, so that requests to one host share a TLS context and its connections. */
  readonly #lists = new Map<readonly PemFile[], readonly string[]>();
  readonly #unreadable = new Set<string>();
  /** The host's own files of lists that have been parsed. */
  readonly #parsed = new Set<readonly PemFile[]>();
  readonly #reported = new Set<string>();
  #system: readonly PemFile[] | undefined;

  /**
   * @param readSystem called once, at the first request over TLS
   * @param configured network.caFiles
   * @param report told of certificates and files that are not used
   */
  constructor(readSystem: () => SystemRoots, configured: readonly PemFile[], report: (warning: string) => void) {
    this.#readSystem = readSystem;
    this.#configured = configured;
    this.#report = report;
  }

  /**
   * @param own the host's own authorities, the same array at each request
   * @returns PEM texts of one certificate each, each once; empty where there is none
   */
  of(own: readonly PemFile[] = NONE): readonly string[] {
    const known = this.#lists.get(own);
    if (known !== undefined) return known;
    const list = new Set(this.#filesOf(own).flatMap((file) => this.#wellFormed(file)));
    for (const pem of this.#unreadable) list.delete(pem);
    const all = [...list].slice(0, MAX_AUTHORITIES);
    if (all.length < list.size)
      this.#reportOnce(`of ${list.size} certificate authorities only the first ${all.length} are trusted`);
    this.#lists.set(own, all);
    return all;
  }

  /**
   * Parses the certificates, once for each host. It takes 6 ms for 140 of them, and the runtime parses them itself,
   * so this is for where the runtime made no TLS context of the list: it takes all or none.
   *
   * @returns those of {@link of} that can be parsed
   */
  async readable(own: readonly PemFile[] = NONE): Promise<readonly string[]> {
    const before = this.of(own);
    if (this.#parsed.has(own)) return before;
    this.#parsed.add(own);
    const { problems, readable } = await examine(this.#filesOf(own));
    const good = new Set(readable);
    for (const pem of before) if (!good.has(pem)) this.#unreadable.add(pem);
    for (const problem of problems) this.#reportOnce(problem);
    this.#lists.delete(own);
    return this.of(own);
  }

  #reportOnce(problem: string): void {
    if (this.#reported.has(problem)) return;
    this.#reported.add(problem);
    this.#report(problem);
  }

  #filesOf(own: readonly PemFile[]): readonly PemFile[] {
    if (this.#system === undefined) {
      const { files, problems } = this.#readSystem();
      for (const problem of problems) this.#reportOnce(problem);
      this.#system = files;
    }
    return [...this.#system, ...this.#configured, ...own];
  }

  #wellFormed({ path, text }: PemFile): readonly string[] {
    return findCertificates(text).flatMap(({ at, pem }) => {
      if (pem === undefined) this.#reportOnce(hasNoEnd(path, lineAt(text, at)));
      return pem ?? [];
    });
  }
}

const NONE: readonly PemFile[] = [];

/** Parses the certificates of these files; what the doctor counts and what is trusted is one judgement. */
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
        problems.push(`${path}:${lineAt(text, at)}: the certificate that begins here cannot be parsed; it is not used`);
      }
    }
  }
  return { readable: [...readable], problems };
}

function hasNoEnd(path: string, line: number): string {
  return `${path}:${line}: the certificate that begins here has no end; it is not used`;
}
