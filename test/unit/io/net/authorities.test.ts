import { describe, expect, it } from "vitest";
import { Authorities } from "../../../../src/io/net/authorities.ts";
import type { PemFile } from "../../../../src/io/net/exchange.ts";
import { CertificateAuthority } from "../../../support/certificates.ts";
import { warned } from "../../../support/warned.ts";

const [system, configured, own] = [1, 2, 3].map((n) => new CertificateAuthority(`number ${n}`).cert.trim());
const file = (text = "", path = "/ca.pem") => ({ path, text });
const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

function authorities(texts: readonly string[], further: readonly string[] = [], problems: readonly string[] = []) {
  const warnings: string[] = [];
  let reads = 0;
  const all = new Authorities(
    () => {
      reads++;
      return { files: texts.map((text) => file(text)), problems };
    },
    further.map((text) => file(text, "/configured.pem")),
  );
  const warn = warned(warnings);
  return {
    all,
    of: (own?: readonly PemFile[]) => all.of(warn, own),
    readable: (own?: readonly PemFile[]) => all.readable(warn, own),
    warnings,
    reads: () => reads,
  };
}

describe("the authorities of a host", () => {
  it("are the system's, the configuration's and its own, each once, and not those of another host", () => {
    const { of, reads } = authorities([`${system}\n${system}`], [configured ?? ""]);
    const hosts = [file(`${own}\n${system}`)];
    expect(of(hosts)).toEqual([system, configured, own]);
    expect(of(hosts)).toBe(of(hosts));
    expect(of()).toEqual([system, configured]);
    expect(reads()).toBe(1);
  });

  it("are none where no file has any", () => {
    expect(authorities(["text"]).of()).toEqual([]);
  });

  it("are the good ones where one has no end, which is said with its place", async () => {
    const { of, readable, warnings } = authorities([`# c\n-----BEGIN CERTIFICATE-----\nAAAA\n${system}`]);
    expect(of()).toEqual([system]);
    expect(await readable()).toEqual([system]);
    expect(warnings).toEqual([expect.stringMatching(/^authority\.unusable: \/ca\.pem:2: /)]);
  });

  it("are the good ones where one cannot be parsed, once the runtime has refused them", async () => {
    const { of, readable, warnings } = authorities([`${BROKEN}${system}`], [`${configured}\n${BROKEN}`]);
    expect(of()).toHaveLength(3);
    expect(await readable()).toEqual([system, configured]);
    expect(of()).toEqual([system, configured]);
    const places = warnings.map((warning) => warning.split(" ")[1]);
    expect(places).toEqual(["/ca.pem:1:", expect.stringMatching(/^\/configured\.pem:\d+:$/)]);
  });

  it("are so also for a host that has been given further ones", async () => {
    const { of, readable } = authorities([`${BROKEN}${system}`]);
    const hosts = [file(`${own}${BROKEN}`, "/own.pem")];
    expect(await readable(hosts)).toEqual([system, own]);
    expect(of()).toEqual([system]);
  });

  it("are warned of to each question, also to one that meets what another one has found", async () => {
    const { all, readable } = authorities([`${BROKEN}${system}`], [], ["/etc/ssl cannot be read"]);
    await readable();
    const hosts = [file(own, "/own.pem")];
    for (const list of [undefined, hosts, hosts]) {
      const lines: string[] = [];
      expect(all.of(warned(lines), list)).not.toContain(BROKEN.trim());
      const [folder, certificate, ...more] = lines.map((line) => line.slice("authority.unusable: ".length));
      expect([folder, certificate?.split(" ")[0], more]).toEqual(["/etc/ssl cannot be read", "/ca.pem:1:", []]);
    }
  });
});
