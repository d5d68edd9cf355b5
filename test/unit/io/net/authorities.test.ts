import { describe, expect, it } from "vitest";
import { Authorities } from "../../../../src/io/net/authorities.ts";
import { CertificateAuthority } from "../../../support/certificates.ts";

const [system, configured, own] = [1, 2, 3].map((n) => new CertificateAuthority(`number ${n}`).cert.trim());
const file = (text = "", path = "/ca.pem") => ({ path, text });
const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

function authorities(texts: readonly string[], further: readonly string[] = []) {
  const warnings: string[] = [];
  let reads = 0;
  const all = new Authorities(
    () => {
      reads++;
      return { files: texts.map((text) => file(text)), problems: [] };
    },
    further.map((text) => file(text, "/configured.pem")),
    (warning) => warnings.push(warning),
  );
  return { all, warnings, reads: () => reads };
}

describe("the authorities of a host", () => {
  it("are the system's, the configuration's and its own, each once, and not those of another host", () => {
    const { all, reads } = authorities([`${system}\n${system}`], [configured ?? ""]);
    const hosts = [file(`${own}\n${system}`)];
    expect(all.of(hosts)).toEqual([system, configured, own]);
    expect(all.of(hosts)).toBe(all.of(hosts));
    expect(all.of()).toEqual([system, configured]);
    expect(reads()).toBe(1);
  });

  it("are none where no file has any", () => {
    expect(authorities(["text"]).all.of()).toEqual([]);
  });

  it("are the good ones where one has no end, which is said once with its place", async () => {
    const { all, warnings } = authorities([`# c\n-----BEGIN CERTIFICATE-----\nAAAA\n${system}`]);
    expect(all.of()).toEqual([system]);
    expect(await all.readable()).toEqual([system]);
    expect(warnings).toEqual([expect.stringMatching(/^\/ca\.pem:2: /)]);
  });

  it("are the good ones where one cannot be parsed, once the runtime has refused them", async () => {
    const { all, warnings } = authorities([`${BROKEN}${system}`], [`${configured}\n${BROKEN}`]);
    expect(all.of()).toHaveLength(3);
    expect(await all.readable()).toEqual([system, configured]);
    expect(all.of()).toEqual([system, configured]);
    const places = warnings.map((warning) => warning.slice(0, warning.indexOf(" ")));
    expect(places).toEqual(["/ca.pem:1:", expect.stringMatching(/^\/configured\.pem:\d+:$/)]);
  });

  it("are so also for a host that has been given further ones", async () => {
    const { all } = authorities([`${BROKEN}${system}`]);
    const hosts = [file(`${own}${BROKEN}`, "/own.pem")];
    expect(await all.readable(hosts)).toEqual([system, own]);
    expect(all.of()).toEqual([system]);
  });
});
