import { chmodSync, linkSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ask, auditing, Bench, BINARY } from "../support/binary.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

// What a server's user may not read keeps the server from starting, so it is not said that root should look.

const canChangeUser = requirement("config check of a user who is not root", missingRoot("the user is changed"));
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const bench = new Bench();
afterAll(() => bench.remove());

describe.runIf(canChangeUser)("config check of a user who is not root", () => {
  const { cert, key } = new CertificateAuthority("Cluster CA").issue({ names: ["localhost"] });
  const tls = { certFile: bench.write("tls.crt", cert), keyFile: bench.write("tls.key", key, 0o600) };
  const tokens = bench.write("tokens", "ci:0123456789abcdef\n", 0o600);
  const server = { listeners: [{ listen: "127.0.0.1:8443", gates: ["verify"], tls }], tokenFiles: [tokens] };
  const binary = join(bench.folder, "atcr-verify");
  linkSync(BINARY, binary);
  chmodSync(bench.folder, 0o755);
  mkdirSync(join(bench.folder, "certs.d"));
  bench.policy(auditing("did:web:a.example.com"));

  const findings = async (config: string, through: readonly string[]) => {
    const args = ["config", "check", config, "--output", "json"];
    const { stdout } = await ask(args, { env: bench.env, binary, through });
    const report = JSON.parse(stdout) as { findings: { name: string; message: string; advice: string }[] };
    return report.findings.map(({ name, message, advice }) => [
      name,
      /named by ([\w.[\]]+)/.exec(message)?.[1],
      advice,
    ]);
  };

  it("says of a server's files, and of its stateDir, that its user needs them", async () => {
    const path = bench.configure({ server }, "server.yaml");
    const advice = "run this as the server's user; if this is that user, give it access";
    expect(await findings(path, NOBODY)).toEqual([
      ["file-unusable", "stateDir", advice],
      ["file-unseen", "server.tokenFiles[0]", `${advice}: until then, the server does not start`],
      ["file-unseen", "server.listeners[0].tls.keyFile", `${advice}: until then, the server does not start`],
    ]);
    expect(await findings(path, [])).toEqual([]);
  });

  it("says of a node's files that pulls run as root", async () => {
    const policy = bench.write("hidden.yaml", auditing("did:web:a.example.com"), 0o600);
    const path = bench.configure({ trustPolicyPath: policy }, "node.yaml");
    const advice = "run this as root, as containerd runs";
    expect(await findings(path, NOBODY)).toEqual([["file-unseen", "trustPolicyPath", advice]]);
  });
});
