import type { TlsFiles } from "../../../core/config/server-settings.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { ReloadedTlsFiles, type TlsMaterial, validityWarning } from "./certificates.ts";
import { openKeyWarning } from "./open-key.ts";
import { type MinimalTls, type TlsFront, tlsFront } from "./tls-front.ts";

interface ReloadHooks {
  /** The files changed, and were read or could not be used. @param message a line for people */
  readonly reloaded: (files: TlsFiles, isUsed: boolean, message: string) => void;
  /** A line for people. */
  readonly warn: (text: string) => void;
}

/** Shakes hands with the certificate as its files were when they could last be used. */
export class ReloadingFront {
  readonly #paths: TlsFiles;
  readonly #files: ReloadedTlsFiles;
  readonly #makeFront: (material: TlsMaterial) => TlsFront;
  readonly #hooks: ReloadHooks;
  #front: TlsFront;

  /**
   * @param secured as {@link tlsFront} calls it
   * @throws Rejection config.invalid
   */
  constructor(paths: TlsFiles, minVersion: MinimalTls, secured: TlsFront, hooks: ReloadHooks) {
    this.#paths = paths;
    this.#files = new ReloadedTlsFiles(paths);
    this.#makeFront = (material) => tlsFront(material, minVersion, secured);
    this.#hooks = hooks;
    this.#front = this.#makeFront(this.#files.current);
    const warning = this.#timeWarning();
    if (warning !== undefined) hooks.warn(warning);
    this.#warnOfOpenKey();
  }

  /** End of the certificate, milliseconds since 1970. */
  get until(): number {
    return this.#files.current.until;
  }

  /** Shakes hands on a connection. */
  readonly shake: TlsFront = (raw) => this.#front(raw);

  /** Has connections from now on get the certificate as its files are now, if these can be used. */
  poll(): void {
    const result = this.#files.poll(Date.now(), (material) => {
      this.#front = this.#makeFront(material);
    });
    if (result === "unchanged") return;
    const { certFile } = this.#paths;
    const report = (isUsed: boolean, message: string): void =>
      this.#hooks.reloaded(this.#paths, isUsed, `certificate: ${message}`);
    if (result === "mended") report(true, `${certFile} is valid again, as before`);
    else if (result === "changed") report(true, `${certFile} was read again: ${this.#described()}`);
    else report(false, `${result.fault}; the certificate that was read last remains in use`);
    if (result === "changed") this.#warnOfOpenKey();
  }

  #warnOfOpenKey(): void {
    const warning = openKeyWarning(this.#paths);
    if (warning !== undefined) this.#hooks.warn(warning);
  }

  #described(): string {
    const { subject, until } = this.#files.current;
    return this.#timeWarning() ?? `${subject}, valid until ${formatDateTime(until)}`;
  }

  #timeWarning(): string | undefined {
    return validityWarning(this.#files.current, this.#paths, Date.now());
  }
}
