import { readdirSync, readlinkSync } from "node:fs";
import { hasCode } from "../fs/error-code.ts";
import { readRegularFile } from "../fs/regular-file.ts";
import type { Environment } from "../process/environment.ts";
import type { PemFile } from "./exchange.ts";

/** Where Go's crypto/x509, and so containerd, looks on Linux (root_linux.go): the first of these files that can be read, */
const FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
/** and all files of these directories. */
const DIRECTORIES = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/** Bytes of one certificate file; bundles of distributions have less than 1 MiB. */
const MAX_FILE = 8 * 1024 * 1024;
/** Files of one directory that are read; distributions have about 300, links included. */
const MAX_ENTRIES = 2000;

/** The certificate authorities that the system trusts, by file. */
export interface SystemRoots {
  readonly files: readonly PemFile[];
  /** Files that could not be read, for messages. */
  readonly problems: readonly string[];
}

/**
 * Reads the system's certificate authorities by the rules of Go's crypto/x509 (root_unix.go), so that exactly those are
 * trusted that containerd trusts: SSL_CERT_FILE replaces the list of files, and SSL_CERT_DIR, separated by colons, the
 * list of directories.
 *
 * @param environment of the process
 */
export function readSystemRoots(environment: Environment): SystemRoots {
  const files: PemFile[] = [];
  const problems: string[] = [];
  const known = new Set<string>();
  const read = (path: string): boolean => {
    known.add(path);
    const text = readRegularFile(path, MAX_FILE);
    if (typeof text === "string") files.push({ path, text });
    else if (!text.isAbsent) problems.push(`${path} cannot be read: ${text.why}`);
    return typeof text === "string";
  };
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = environment;
  if (file) {
    if (!read(file) && problems.length === 0) problems.push(`${file}, named by SSL_CERT_FILE, does not exist`);
  } else {
    FILES.some(read);
  }
  for (const directory of directories ? directories.split(":") : DIRECTORIES) {
    for (const name of entriesOf(directory, problems)) {
      const path = `${directory}/${name}`;
      if (!known.has(path)) read(path);
    }
  }
  return { files, problems };
}

/** As in Go, without links to another entry of the same directory: those are hash names. */
function entriesOf(directory: string, problems: string[]): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    if (entries.length > MAX_ENTRIES)
      problems.push(`${directory} has ${entries.length} files; only ${MAX_ENTRIES} are read`);
    return entries
      .slice(0, MAX_ENTRIES)
      .filter((entry) => !entry.isDirectory())
      .filter((entry) => !entry.isSymbolicLink() || readlinkSync(`${directory}/${entry.name}`).includes("/"))
      .map(({ name }) => name);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) problems.push(`${directory} cannot be read: ${(error as Error).message}`);
    return [];
  }
}
