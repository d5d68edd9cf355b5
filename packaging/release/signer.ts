/**
 * Signs with the OpenPGP key of the release, by Debian's GnuPG. The key is imported into a folder that only this run knows and
 * that is removed with it.
 *
 * Signatures are dated by SOURCE_DATE_EPOCH, or by the newest part of the key where that is later: what is signed twice has the
 * same bytes, as far as the key's algorithm has (RSA and EdDSA have).
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DebianRoot } from "./debian-root.ts";

/** Fields of `gpg --with-colons` (GnuPG, doc/DETAILS). */
const FIELD = { type: 0, validity: 1, created: 5, expires: 6, text: 9, capabilities: 11 } as const;

export class Signer {
  readonly #debian: DebianRoot;
  readonly #options: readonly string[];
  /** Of the primary key, 40 hexadecimal digits. */
  readonly fingerprint: string;
  /** The public key, armoured. */
  readonly publicKey: Buffer;

  /**
   * @param keyFile path of exactly one secret key, armoured or not
   * @param passphraseFile path of its passphrase, if it has one
   * @param epoch seconds since 1970
   * @throws Error for a file that others may read, and for a key that cannot be used
   */
  constructor(debian: DebianRoot, keyFile: string, passphraseFile: string | undefined, epoch: number) {
    this.#debian = debian;
    for (const file of [keyFile, passphraseFile].filter((path) => path !== undefined)) {
      const mode = statSync(file).mode & 0o777;
      if ((mode & 0o077) !== 0)
        throw new Error(`${file} has the mode 0${mode.toString(8)}, so others may use it: run chmod 600 on it`);
    }
    mkdirSync(join(debian.folder, "gnupg"), { mode: 0o700 });
    const home = `${debian.inside}/gnupg`;
    const base = ["--homedir", home, "--batch", "--no-tty", "--pinentry-mode", "loopback"];
    const passphrase = join(debian.folder, "gnupg/passphrase");
    writeFileSync(passphrase, passphraseFile === undefined ? "" : readFileSync(passphraseFile), { mode: 0o600 });
    const unlocked = [...base, "--passphrase-file", `${home}/passphrase`];
    debian.run(["gpg", ...unlocked, "--import"], {}, readFileSync(keyFile));
    const listed = debian.run(["gpg", ...base, "--with-colons", "--list-secret-keys"]).toString();
    const lines = listed.split("\n").map((line) => line.split(":"));
    const primary = lines.filter((line) => line[FIELD.type] === "sec");
    const fingerprint = lines.find((line) => line[FIELD.type] === "fpr")?.[FIELD.text];
    const [key] = primary;
    if (key === undefined || fingerprint === undefined || primary.length !== 1)
      throw new Error(`${keyFile} holds ${primary.length} secret keys; expected one, by gpg --export-secret-keys`);
    if ("deir".includes(key[FIELD.validity] || "-") || !key[FIELD.capabilities]?.includes("S"))
      throw new Error(`the key ${fingerprint} of ${keyFile} cannot sign: it is revoked, expired or not made for it`);
    const created = lines.filter((line) => ["sec", "ssb"].includes(line[FIELD.type] ?? ""));
    const at = Math.max(epoch, ...created.map((line) => Number(line[FIELD.created])));
    const time = `${new Date(at * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}!`;
    this.#options = [...unlocked, "--faked-system-time", time, "--digest-algo", "SHA512", "--local-user", fingerprint];
    this.fingerprint = fingerprint;
    this.publicKey = debian.run(["gpg", ...base, "--armor", "--export", fingerprint]);
  }

  /** A signature in a file of its own, armoured. */
  detached(bytes: Uint8Array): Buffer {
    return this.#debian.run(["gpg", ...this.#options, "--armor", "--output", "-", "--detach-sign"], {}, bytes);
  }

  /** The text with its signature, as apt's InRelease is. */
  clear(text: string): Buffer {
    return this.#debian.run(["gpg", ...this.#options, "--output", "-", "--clear-sign"], {}, text);
  }

  /** Puts signatures into packages. @param rpms paths inside the root */
  signRpms(rpms: readonly string[]): void {
    const define = (name: string, value: string) => ["--define", `${name} ${value}`];
    this.#debian.run([
      "rpmsign",
      // Debian's rpm names it without its folder, and does not look for it.
      ...define("__gpg", "/usr/bin/gpg"),
      ...define("_gpg_name", this.fingerprint),
      ...define("_gpg_path", `${this.#debian.inside}/gnupg`),
      ...define("_gpg_sign_cmd_extra_args", this.#options.join(" ")),
      "--addsign",
      ...rpms,
    ]);
  }
}

/** Ends GnuPG's agent, which holds the key, also where no {@link Signer} came of it. */
export function endAgent(debian: DebianRoot): void {
  if (existsSync(join(debian.folder, "gnupg")))
    debian.run(["gpgconf", "--homedir", `${debian.inside}/gnupg`, "--kill", "all"]);
}
