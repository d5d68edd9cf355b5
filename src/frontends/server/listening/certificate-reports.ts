import type { TlsFiles } from "../../../core/config/server-settings.ts";

interface Report {
  readonly isUsed: boolean;
  readonly message: string;
}

/** What all listeners say of their certificates: those that share files see the same, one after the other. */
export class CertificateReports {
  readonly #count: (isUsed: boolean, areAllUsed: boolean) => void;
  readonly #say: (text: string) => void;
  /** The last one, by paths. */
  readonly #last = new Map<string, Report>();
  readonly #warned = new Set<string>();

  /**
   * @param count called for each listener, with whether the files of all listeners are in use as they are now
   * @param say prints a line
   */
  constructor(count: (isUsed: boolean, areAllUsed: boolean) => void, say: (text: string) => void) {
    this.#count = count;
    this.#say = say;
  }

  /** Changed files were read. @param message a line for people, printed once for the same certificate */
  report({ certFile, keyFile, clientCaFile }: TlsFiles, isUsed: boolean, message: string): void {
    const paths = JSON.stringify([certFile, keyFile, clientCaFile]);
    // Another listener may have the same certificate, and authorities of clients besides.
    const isNew = [...this.#last.values()].every((one) => one.message !== message);
    this.#last.set(paths, { isUsed, message });
    this.#count(
      isUsed,
      [...this.#last.values()].every((one) => one.isUsed),
    );
    if (isNew) this.#say(message);
  }

  /** Prints what is wrong with a certificate at the start, once. */
  warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#say(message);
  }
}
