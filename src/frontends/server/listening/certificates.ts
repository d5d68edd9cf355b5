import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsFiles } from "../../../core/config/server-settings.ts";
import { findCertificates, lineAt } from "../../../core/encoding/pem.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { readTrustedFile } from "../../../io/fs/local-file.ts";

/** What the files contain, in PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  /** Of the server's certificate, on one line. */
  readonly subject: string;
  /** When the server's certificate counts; milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** What is wrong with one of the files. */
export class TlsFault extends Rejection {
  /** The key that names the file: `certFile`. */
  readonly part: keyof TlsFiles;

  constructor(part: keyof TlsFiles, cause: Rejection) {
    super(cause.code, cause.message, { cause });
    this.part = part;
  }
}

/** Bytes of one of the files. Stops a wrong name, such as that of a disk, from being read whole. */
const MAX_TLS_FILE = 256 * 1024;

/**
 * Reads a server's certificate, its key, and the authorities of its clients' certificates.
 *
 * @throws TlsFault config.invalid, which names the file
 */
export function readTlsFiles(files: TlsFiles): TlsMaterial {
  return checked(readTexts(files), files);
}

type Texts = Pick<TlsMaterial, "cert" | "key" | "ca">;

function readTexts({ certFile, keyFile, clientCaFile }: TlsFiles): Texts {
  return {
    cert: inFile("certFile", () => readText(certFile)),
    key: inFile("keyFile", () => readText(keyFile)),
    ...(clientCaFile !== undefined && { ca: inFile("clientCaFile", () => readText(clientCaFile)) }),
  };
}

function checked(texts: Texts, { certFile, keyFile, clientCaFile }: TlsFiles): TlsMaterial {
  const { cert, key, ca } = texts;
  const [leaf] = inFile("certFile", () => certificatesIn(cert, certFile));
  inFile("keyFile", () => {
    if (leaf.checkPrivateKey(privateKeyIn(key, keyFile))) return;
    const advice = "the server's certificate must be the first of certFile, and keyFile its key";
    reject("config.invalid", `the key in ${keyFile} is not that of the first certificate in ${certFile}; ${advice}`);
  });
  // Without one, the runtime would trust every authority of this machine.
  if (ca !== undefined && clientCaFile !== undefined) inFile("clientCaFile", () => certificatesIn(ca, clientCaFile));
  const subject = leaf.subject?.split("\n").join(", ") || (leaf.subjectAltName ?? "without a name");
  return { ...texts, subject, from: leaf.validFromDate.getTime(), until: leaf.validToDate.getTime() };
}

/** What is wrong with the time of a certificate; undefined where nothing is. @param now milliseconds since 1970 */
export function validityWarning(material: TlsMaterial, { certFile }: TlsFiles, now: number): string | undefined {
  if (isValid(material, now)) return undefined;
  const it = `the certificate in ${certFile} is ${periodOf(material)}`;
  return `${it}, and it is ${formatDateTime(now)}; clients refuse it`;
}

function isValid({ from, until }: TlsMaterial, now: number): boolean {
  return from <= now && now <= until;
}

function periodOf({ from, until }: TlsMaterial): string {
  return `valid from ${formatDateTime(from)} to ${formatDateTime(until)}`;
}

/** Polls that must find the same fault before it is reported: files that are being replaced do not match for a moment. */
const FAULTY_POLLS = 2;

/** The files as they were when they could last be used. */
export class ReloadedTlsFiles {
  readonly #files: TlsFiles;
  #current: TlsMaterial;
  #fault: { readonly message: string; polls: number } | undefined;
  /** Whether a fault was reported since the files could last be used; the one now may be another. */
  #isReported = false;

  /** @throws Rejection as {@link readTlsFiles} */
  constructor(files: TlsFiles) {
    this.#files = files;
    this.#current = readTlsFiles(files);
  }

  get current(): TlsMaterial {
    return this.#current;
  }

  /**
   * Reads the files again. A certificate that clients refuse now does not replace one that they take.
   *
   * @param now milliseconds since 1970
   * @param use has what was read take effect; throws what makes it unusable
   * @returns `changed` where it took effect; a message for people, once, where the files cannot be used, so that those of
   *   before remain in use; `mended` where they were reported, and are again what is in use
   */
  poll(
    now: number,
    use: (material: TlsMaterial) => void,
  ): "unchanged" | "changed" | "mended" | { readonly fault: string } {
    try {
      const texts = readTexts(this.#files);
      const isSame = (["cert", "key", "ca"] as const).every((part) => texts[part] === this.#current[part]);
      if (!isSame) {
        const material = checked(texts, this.#files);
        this.#refuseWorse(material, now);
        use(material);
        this.#current = material;
      }
      const wasReported = this.#isReported;
      this.#fault = undefined;
      this.#isReported = false;
      if (!isSame) return "changed";
      return wasReported ? "mended" : "unchanged";
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      const { message } = error;
      const fault = this.#fault?.message === message ? this.#fault : { message, polls: 0 };
      fault.polls++;
      this.#fault = fault;
      if (fault.polls !== FAULTY_POLLS) return "unchanged";
      this.#isReported = true;
      return { fault: message };
    }
  }

  /** Without the time of now in the message: a fault is the same at each poll. */
  #refuseWorse(material: TlsMaterial, now: number): void {
    if (isValid(material, now) || !isValid(this.#current, now)) return;
    const why = now < material.from ? "is not valid yet" : "has expired";
    reject("config.invalid", `the certificate in ${this.#files.certFile} ${why}: it is ${periodOf(material)}`);
  }
}

/** @throws what check throws, a Rejection as a TlsFault */
function inFile<T>(part: keyof TlsFiles, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof Rejection ? new TlsFault(part, error) : error;
  }
}

function readText(path: string): string {
  const text = readTrustedFile({ path, code: "config.invalid", what: "the file", max: MAX_TLS_FILE });
  return text ?? reject("config.invalid", `there is no file ${path}`);
}

function certificatesIn(text: string, path: string): readonly [X509Certificate, ...X509Certificate[]] {
  const expected = "expected certificates in PEM";
  const [first, ...others] = findCertificates(text).map(({ at, pem }) => {
    try {
      if (pem !== undefined) return new X509Certificate(pem);
    } catch {
      // Reported with its line.
    }
    return reject("config.invalid", `${path}:${lineAt(text, at)}: the certificate cannot be read, ${expected}`);
  });
  return first === undefined
    ? reject("config.invalid", `${path} contains no certificate, ${expected}`)
    : [first, ...others];
}

function privateKeyIn(text: string, path: string): KeyObject {
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:.*ENCRYPTED/m.test(text)) {
    return reject("config.invalid", `the key in ${path} is encrypted, expected one without a pass phrase`);
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    return reject("config.invalid", `${path} contains no private key in PEM`, error);
  }
}
