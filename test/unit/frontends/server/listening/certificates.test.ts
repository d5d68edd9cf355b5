import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reject } from "../../../../../src/core/rejection.ts";
import {
  ReloadedTlsFiles,
  readTlsFiles,
  validityWarning,
} from "../../../../../src/frontends/server/listening/certificates.ts";
import { CertificateAuthority } from "../../../../support/certificates.ts";
import { rejectionOf } from "../../../../support/rejection.ts";

const NAMES = { names: ["atcr-verify.atcr-verify.svc"] };
const authority = new CertificateAuthority("Cluster CA");
const first = authority.issue(NAMES);
const second = authority.issue(NAMES);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tls-files-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function filesWith(parts: { cert?: string; key?: string; ca?: string } = {}) {
  return {
    certFile: write("tls.crt", parts.cert ?? first.cert),
    keyFile: write("tls.key", parts.key ?? first.key),
    ...(parts.ca !== undefined && { clientCaFile: write("ca.crt", parts.ca) }),
  };
}

describe("the files of a certificate", () => {
  it("are read with the issuers of the certificate, and the authorities of clients", () => {
    const chain = `# of the service\n${first.cert}${authority.cert}`;
    const material = readTlsFiles(filesWith({ cert: chain, ca: authority.cert }));
    expect(material).toMatchObject({ cert: chain, key: first.key, ca: authority.cert });
    expect(readTlsFiles(filesWith())).not.toHaveProperty("ca");
  });

  const encrypted = createPrivateKey(first.key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  const legacy = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs1",
    format: "pem",
    cipher: "aes-128-cbc",
    passphrase: "x",
  });
  it.each([
    ["of another key", { key: second.key }, "tls.key is not that of the first certificate in"],
    ["in another order", { cert: `${authority.cert}${first.cert}` }, "the server's certificate must be the first"],
    ["without a certificate", { cert: first.key }, "tls.crt contains no certificate"],
    [
      "with a damaged certificate",
      { cert: first.cert.replace(/\nMII./, "\nAAAA") },
      "tls.crt:1: the certificate cannot",
    ],
    [
      "with a certificate cut off",
      { cert: `${first.cert}${authority.cert.slice(0, 200)}` },
      /tls\.crt:\d\d?: the certificate/,
    ],
    ["without a key", { key: first.cert }, "tls.key contains no private key"],
    ["with an encrypted key", { key: String(encrypted) }, "tls.key is encrypted"],
    ["with an encrypted key of old", { key: String(legacy) }, "tls.key is encrypted"],
    ["with no authority for clients", { ca: "" }, "ca.crt contains no certificate"],
    ["with a key in place of the authority", { ca: first.key }, "ca.crt contains no certificate"],
    ["of any size", { cert: `${first.cert}${" ".repeat(256 * 1024)}` }, "at most 262144 are read"],
  ])("are refused %s", (_, parts, message) => {
    const rejection = rejectionOf(() => readTlsFiles(filesWith(parts)));
    const { code, message: found } = rejection;
    const part =
      (parts as { ca?: string }).ca !== undefined ? "clientCaFile" : expect.stringMatching(/^(?:cert|key)File$/);
    expect([code, rejection]).toEqual(["config.invalid", expect.objectContaining({ part })]);
    expect(found).toMatch(message);
  });

  it("are refused where one is missing, or others can change it", () => {
    const files = filesWith();
    const missing = rejectionOf(() => readTlsFiles({ ...files, keyFile: join(folder, "none") }));
    expect(missing).toMatchObject({ code: "config.invalid", part: "keyFile" });
    const ca = write("open.crt", authority.cert);
    chmodSync(ca, 0o666);
    expect(rejectionOf(() => readTlsFiles({ ...files, clientCaFile: ca })).message).toContain(
      "can be written by others",
    );
  });

  it("may hold a certificate that has ended or not begun, which is warned of", () => {
    const now = Date.UTC(2026, 0, 1);
    const ended = authority.issue({ ...NAMES, notBefore: now - 2000, notAfter: now - 1000 });
    const files = filesWith({ cert: ended.cert, key: ended.key });
    const material = readTlsFiles(files);
    expect(material.until).toBe(now - 1000);
    expect(material.subject).toMatch(/^[^\n]+$/);
    expect(validityWarning(material, files, now)).toContain("tls.crt is valid from 2025-12-31T23:59:58");
    expect(validityWarning(material, files, now - 1500)).toBeUndefined();
    expect(validityWarning(material, files, now - 3000)).toContain("clients refuse it");
  });
});

describe("files that change", () => {
  it("take effect once they are whole, and are reported once where they stay broken", () => {
    const files = filesWith();
    const reloaded = new ReloadedTlsFiles(files);
    const used: string[] = [];
    const poll = () => reloaded.poll(Date.now(), ({ cert }) => used.push(cert));
    expect(poll()).toBe("unchanged");
    write("tls.key", second.key);
    // The other file may be written in the next moment.
    expect(poll()).toBe("unchanged");
    expect(poll()).toEqual({ fault: expect.stringContaining("tls.key is not that of the first certificate") });
    expect(poll()).toBe("unchanged");
    expect([reloaded.current.key, used]).toEqual([first.key, []]);
    write("tls.crt", second.cert);
    expect(poll()).toBe("changed");
    expect([reloaded.current.key, used]).toEqual([second.key, [second.cert]]);
    expect(poll()).toBe("unchanged");
  });

  it("are mended where they are again what is in use, whatever was wrong last", () => {
    const reloaded = new ReloadedTlsFiles(filesWith());
    const poll = () => reloaded.poll(Date.now(), () => {});
    write("tls.key", second.key);
    poll();
    write("tls.key", first.key);
    // Nothing was reported yet.
    expect(poll()).toBe("unchanged");
    write("tls.key", second.key);
    poll();
    expect(poll()).toHaveProperty("fault");
    write("tls.key", "another fault");
    poll();
    write("tls.key", first.key);
    expect([poll(), poll()]).toEqual(["mended", "unchanged"]);
  });

  it("do not take effect where they cannot be used", () => {
    const files = filesWith({ ca: authority.cert });
    const reloaded = new ReloadedTlsFiles(files);
    write("ca.crt", new CertificateAuthority("Another").cert);
    const use = () => reject("config.invalid", "the runtime cannot use it");
    expect(reloaded.poll(Date.now(), use)).toBe("unchanged");
    expect(reloaded.poll(Date.now(), use)).toEqual({ fault: "the runtime cannot use it" });
    expect(reloaded.current.ca).toBe(authority.cert);
    expect(reloaded.poll(Date.now(), () => {})).toBe("changed");
  });

  it("do not replace a certificate that is valid now by one that has ended or not begun", () => {
    const now = Date.UTC(2026, 5, 1);
    const issue = (from: number, to: number) =>
      authority.issue({ ...NAMES, notBefore: now + from * 1000, notAfter: now + to * 1000 });
    const [used, ended, early] = [issue(-100, 100), issue(-100, -1), issue(50, 500)];
    const reloaded = new ReloadedTlsFiles(filesWith(used));
    const pollAt = (seconds: number) => reloaded.poll(now + seconds * 1000, () => {});
    filesWith(ended);
    expect([pollAt(0), pollAt(1)]).toEqual([
      "unchanged",
      { fault: expect.stringMatching(/tls\.crt has expired: .*valid from/) },
    ]);
    expect(reloaded.current.cert).toBe(used.cert);
    filesWith(early);
    expect([pollAt(2), pollAt(3)]).toEqual(["unchanged", { fault: expect.stringContaining("is not valid yet") }]);
    expect(reloaded.current.cert).toBe(used.cert);
    // It is looked at again, and its time comes.
    expect([pollAt(51), reloaded.current.cert]).toEqual(["changed", early.cert]);
    expect(pollAt(501)).toBe("unchanged");
    // Clients refuse the one in use too.
    filesWith(ended);
    expect([pollAt(502), reloaded.current.cert]).toEqual(["changed", ended.cert]);
  });
});
