import { chmodSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { afterEach, describe, expect, it } from "vitest";
import { minimalTls } from "../../../../../src/frontends/server/listening/listen-limits.ts";
import { CertificateAuthority } from "../../../../support/certificates.ts";
import {
  ask,
  authority,
  client,
  dial,
  file,
  first,
  foreign,
  requestOf,
  second,
  sendTls,
  startListener as start,
  stopListeners,
  until,
} from "../../../../support/started-listener.ts";

afterEach(stopListeners);

describe("TLS", () => {
  it("answers over 1.3 and 1.2, with encryption that is authenticated", async () => {
    const { port } = await start();
    for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
      expect(await sendTls(port, requestOf("/", "Connection: close"), { maxVersion: version })).toContain("/ 0");
    }
  });

  it("refuses 1.1, suites with CBC or without forward secrecy, and 1.2 where only Gatekeeper asks", async () => {
    const { port, counted } = await start();
    const refused = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256" } as const;
    expect(await sendTls(port, requestOf("/"), refused)).toContain("[ERR_SSL_");
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    expect(await sendTls(port, requestOf("/"), old)).toContain("[ERR_SSL_");
    await until(() => counted.filter((event) => event === "tls_failed").length === 2);
    const gatekeeper = await start({ gates: ["gatekeeper"] });
    expect(await sendTls(gatekeeper.port, requestOf("/"), { maxVersion: "TLSv1.2" })).toContain("[ERR_SSL_");
    expect([minimalTls(["gatekeeper"]), minimalTls(["gatekeeper", "admit"])]).toEqual(["TLSv1.3", "TLSv1.2"]);
  });

  it("demands a client certificate of the authorities that are named", async () => {
    const { port, counted } = await start({ ca: authority.cert });
    expect(await ask(port, client)).toContain("200");
    for (const shown of [{}, foreign, authority.issue({ names: ["server"] })]) {
      expect(await sendTls(port, requestOf("/"), shown)).not.toContain("200");
    }
    // Its client counts it as failed after the handshake of its own.
    await until(() => counted.filter((event) => event === "tls_failed").length === 3);
  });

  it("names the key of a file that cannot be used at the start", async () => {
    const starting = start({ ca: "x" });
    await expect(starting).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringMatching(/ca\.crt contains no certificate, .* \(server\.tls\.clientCaFile\)$/),
    });
  });

  it("does not demand one where no authority is named", async () => {
    const { port } = await start();
    expect(await ask(port, foreign)).toContain("200");
  });
});

describe("another certificate", () => {
  it("is that of connections from then on; those that are open go on", async () => {
    const { port, write, reloaded, said, warned, certificateUntil } = await start({ limits: { poll: 20 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert });
    expect(await ask(port, { agent })).toContain("200");
    const kept = Object.values(agent.freeSockets)[0]?.[0];
    write(second);
    await until(() => reloaded.length === 1);
    const fresh = dial(port);
    await new Promise((resolve) => fresh.once("secureConnect", resolve));
    expect(fresh.getPeerCertificate().subjectaltname).toContain("second.svc");
    fresh.destroy();
    expect(await ask(port, { agent })).toContain("200");
    expect(Object.values(agent.freeSockets)[0]?.[0]).toBe(kept);
    agent.destroy();
    expect([reloaded, warned]).toEqual([[true], []]);
    expect(said).toEqual([expect.stringMatching(/^certificate: .*\/tls\.crt was read again: .*, valid until 20.*Z$/)]);
    expect(certificateUntil()).toBeGreaterThan(Date.now());
  });

  it("loses no request while certificates change", async () => {
    const { port, write, reloaded, counted } = await start({ limits: { poll: 5 } });
    let isOver = false;
    const answers: string[] = [];
    let shown = "";
    const clients = Array.from({ length: 8 }, async (_, i) => {
      const agent = i % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1, ca: authority.cert }) : undefined;
      while (!isOver) answers.push((await ask(port, agent === undefined ? {} : { agent })).slice(0, 3));
      agent?.destroy();
    });
    const watch = (async () => {
      while (!isOver) {
        const socket = dial(port);
        await new Promise((resolve) => socket.once("secureConnect", resolve));
        shown = socket.getPeerCertificate().subjectaltname ?? "";
        socket.end();
        await new Promise((resolve) => socket.once("close", resolve));
      }
    })();
    for (let round = 0; round < 6; round++) {
      write(round % 2 === 0 ? second : first);
      await until(() => reloaded.length === round + 1 && shown.includes(round % 2 === 0 ? "second" : "first"));
    }
    isOver = true;
    await Promise.all([...clients, watch]);
    expect(new Set(answers)).toEqual(new Set(["200"]));
    expect(counted.filter((event) => event !== "accepted")).toEqual([]);
  });

  it("does not let in what the authorities of before had let in", async () => {
    const options = { ca: authority.cert, limits: { poll: 20 } };
    const { port, reloaded } = await start(options);
    const session = await new Promise<Buffer>((resolve) => {
      const socket = dial(port, client);
      socket.once("session", (found: Buffer) => {
        socket.end();
        resolve(found);
      });
    });
    expect(await sendTls(port, requestOf("/", "Connection: close"), { ...client, session })).toContain("200");
    writeFileSync(file("ca.crt"), new CertificateAuthority("Another").cert);
    await until(() => reloaded.length === 1);
    expect(await sendTls(port, requestOf("/"), { ...client, session })).not.toContain("200");
  });

  it("that has expired is reported once, and does not replace one that is valid", async () => {
    const { port, reload, write, reloaded, said, certificateUntil } = await start({ limits: { poll: 60_000 } });
    write(authority.issue({ names: ["127.0.0.1"], notAfter: Date.now() - 1000 }));
    for (const _ of [1, 2, 3]) reload();
    expect(await ask(port)).toContain("200");
    expect(reloaded).toEqual([false]);
    expect(said).toEqual([
      expect.stringMatching(/has expired: .*; the certificate that was read last remains in use$/),
    ]);
    expect(certificateUntil()).toBeGreaterThan(Date.now());
    write(second);
    reload();
    expect(reloaded).toEqual([false, true]);
  });

  it("whose key every user can read is warned of", async () => {
    const { reload, write, warned } = await start({ limits: { poll: 60_000 } });
    chmodSync(file("tls.key"), 0o644);
    write(second);
    reload();
    const warning = `every user can read the private key ${file("tls.key")}`;
    expect(warned).toEqual([expect.stringContaining(warning)]);
    expect((await start()).warned).toEqual([expect.stringContaining(warning)]);
  });

  it("that cannot be used is reported once, and the last one stays", async () => {
    const { port, reload, write, reloaded, said } = await start({ limits: { poll: 10 } });
    writeFileSync(file("tls.crt"), "half of a certif");
    await until(() => reloaded.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reloaded).toEqual([false]);
    expect(await ask(port)).toContain("200");
    write(first);
    reload();
    reload();
    expect(reloaded).toEqual([false, true]);
    expect(said).toEqual([
      expect.stringContaining("the certificate that was read last remains in use"),
      expect.stringMatching(/tls\.crt is valid again, as before$/),
    ]);
  });
});
