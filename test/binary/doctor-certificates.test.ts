import { describe, expect, it } from "vitest";
import type { TestNode } from "../support/binary.ts";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { doctor, healthy, policyFor } from "../support/doctor.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";

// Certificates that are signed with SHA-1, which the runtime accepts and containerd refuses.

const NAME = "certificate-signature";
const HOST = { names: ["127.0.0.1"] };

/** @param tls of a second registry that the policy names */
async function findings(world: TestNode, tls: TlsIdentity, settings: Readonly<Record<string, unknown>> = {}) {
  const registry = await StandInRegistry.start({ tls });
  try {
    const hosts = [world.registry.authority, registry.authority];
    world.policy(policyFor(world, [world.signer.did], hosts));
    world.configure({ ...world.settings, ...settings });
    const { of, levels } = await doctor(world);
    return { found: of(NAME), registries: levels("registry"), origin: registry.origin };
  } finally {
    await registry.stop();
  }
}

/** Issued by an authority that the other one issued, and sent with that one's certificate. */
function below(authority: CertificateAuthority, hash: "sha1" | "sha256") {
  const between = new CertificateAuthority("Between", authority, { hash });
  const { cert, key } = between.issue(HOST);
  return { between, tls: { cert: `${cert}\n${between.cert}`, key } };
}

describe.concurrent("the doctor", () => {
  it("finds nothing where all is signed with SHA-256", async () => {
    await healthy(async (world) => {
      const { found, registries, origin } = await findings(world, below(world.authority, "sha256").tls);
      expect(registries).toEqual(["ok", "ok"]);
      expect(found).toMatchObject([{ level: "ok" }]);
      for (const one of [origin, world.plc.origin, world.pds.origin, world.registry.origin])
        expect(found[0]?.found).toContain(one);
    });
  });

  it("finds a host's certificate that is signed with SHA-1, of elliptic curves and of RSA", async () => {
    await healthy(async (world) => {
      const old = new CertificateAuthority("RSA root", undefined, { key: "RSA" });
      const caFiles = [world.write("old.pem", old.cert)];
      for (const authority of [world.authority, old]) {
        const network = { ...(world.settings["network"] as object), caFiles };
        const { found, registries, origin } = await findings(world, authority.issue({ ...HOST, hash: "sha1" }), {
          network,
        });
        // The runtime accepts it: else it would be no service that answers.
        expect(registries).toEqual(["ok", "ok"]);
        expect(found).toMatchObject([{ level: "warning" }]);
        expect(found[0]?.found).toContain(origin);
        expect(found[0]?.found).toContain('"CN=127.0.0.1"');
      }
    });
  });

  it("finds an intermediate authority's, unless that one is listed itself", async () => {
    await healthy(async (world) => {
      const { between, tls } = below(world.authority, "sha1");
      const first = await findings(world, tls);
      expect(first.found).toMatchObject([{ level: "warning" }]);
      expect(first.found[0]?.found).toContain('("CN=Between")');
      const network = { ...(world.settings["network"] as object), caFiles: [world.write("b.pem", between.cert)] };
      expect((await findings(world, tls, { network })).found).toMatchObject([{ level: "ok" }]);
    });
  });

  it("passes over what a root says of itself", async () => {
    await healthy(async (world) => {
      const root = new CertificateAuthority("Old root", undefined, { hash: "sha1" });
      const { cert, key } = root.issue(HOST);
      const network = { ...(world.settings["network"] as object), caFiles: [world.write("root.pem", root.cert)] };
      const { found, registries } = await findings(world, { cert: `${cert}\n${root.cert}`, key }, { network });
      expect(registries).toEqual(["ok", "ok"]);
      expect(found).toMatchObject([{ level: "ok" }]);
    });
  });

  it("looks at directories, and says of what it cannot see that it is not known", async () => {
    await healthy(async (world) => {
      const plc = await StandInPlc.start({ tls: world.authority.issue({ ...HOST, hash: "sha1" }) });
      try {
        plc.add(world.signer.log);
        const gone = "https://127.0.0.1:1";
        world.configure({ ...world.settings, plcDirectories: [plc.origin, gone] });
        const found = (await doctor(world)).of(NAME);
        expect(found.map(({ level }) => level)).toEqual(["warning", "warning"]);
        expect(found[0]?.found).toContain(`${plc.origin} has`);
        expect(found[1]?.found).toContain(`whether certificates of ${gone} are signed with SHA-1 is not known`);
      } finally {
        await plc.stop();
      }
    });
  });
});
