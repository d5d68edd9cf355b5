import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DebianRoot } from "../../packaging/release/debian-root.ts";
import { type Answer, type RecordedRequest, StandInServer } from "./http-server.ts";
import { systemRoot } from "./packages.ts";
import { run } from "./process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Of the sources that are released in tests: 2026-01-01. */
export const EPOCH = 1_767_225_600;

/** Makes an OpenPGP key that lives as long as the test. @returns the files of the secret key, of mode 0600, and of the public key */
export function makeReleaseKey(
  folder: string,
  name: string,
  { passphrase = "", expires = "never" } = {},
): { readonly file: string; readonly publicFile: string } {
  const debian = new DebianRoot(systemRoot("checkers"));
  const home = ["--homedir", debian.inside];
  const options = [...home, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase];
  try {
    // Made in the past, so that one may have expired.
    const made = ["--faked-system-time", "20260201T000000", "--quick-generate-key", `${name} of a test`, "rsa3072"];
    debian.run(["gpg", ...options, ...made, "sign", expires]);
    const file = join(folder, `${name}.asc`);
    writeFileSync(file, debian.run(["gpg", ...options, "--armor", "--export-secret-keys"]), { mode: 0o600 });
    const publicFile = join(folder, `${name}.pub.asc`);
    writeFileSync(publicFile, debian.run(["gpg", ...home, "--armor", "--export"]));
    return { file, publicFile };
  } finally {
    debian.run(["gpgconf", ...home, "--kill", "all"]);
    debian.remove();
  }
}

/** As `make release`, of what is in dist. @returns what it prints, on both streams, and its exit status */
export async function makeRelease(
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { RELEASE_KEY: _key, RELEASE_URL: _url, ...rest } = process.env;
  const { code, stdout, stderr } = await run("node", ["packaging/release/make-release.ts", folder], {
    cwd: ROOT,
    env: { ...rest, SOURCE_DATE_EPOCH: `${EPOCH}`, ...env },
    timeout: 120_000,
  });
  return { code, output: `${stdout}${stderr}` };
}

/** Serves the files of a folder as a plain web server does. */
export class FileServer extends StandInServer {
  /** What is served; undefined: nothing. */
  folder: string | undefined;

  static start(): Promise<FileServer> {
    return new FileServer({}).listen();
  }

  protected answer({ path }: RecordedRequest): Answer {
    try {
      return { body: readFileSync(join(this.folder ?? "/nonexistent", decodeURIComponent(path))) };
    } catch {
      return { status: 404 };
    }
  }
}
