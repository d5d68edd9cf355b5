import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ask } from "../support/binary.ts";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import type { Finding } from "../support/doctor.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { HEALTHY, list, PATHS, StandInApiServer } from "../support/stand-in-cluster.ts";

// The doctor of a cluster as people run it: kubeconfig, TLS and credentials. What it checks is tested without a server.

const root = makeTemporaryDirectory("doctor-cluster");
afterAll(() => rmSync(root, { recursive: true, force: true }));
const AUTHORITY = new CertificateAuthority("Cluster");
const HOST = { names: ["127.0.0.1"] };
const data = (text: string): string => Buffer.from(text).toString("base64");
let count = 0;

interface Answered {
  readonly code: number | null;
  readonly stderr: string;
  readonly findings: readonly Finding[];
  readonly of: (name: string) => readonly Finding[];
}

async function doctor(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Answered> {
  const { code, stdout, stderr } = await ask(["doctor", "--cluster", "--output", "json", ...args], { env });
  const { findings = [] } = JSON.parse(stdout) as { readonly findings?: readonly Finding[] };
  return { code, stderr: `${stderr}${stdout}`, findings, of: (name) => findings.filter((one) => one.name === name) };
}

function kubeconfig(server: string, cluster: string, user: string): string {
  const file = join(root, `config-${count++}`);
  const text = `current-context: x
contexts: [{ name: x, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: '${server}', ${cluster} } }]
users: [{ name: u, user: ${user} }]`;
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** @param tls that of the server */
async function withServer(tls: TlsIdentity, test: (server: StandInApiServer) => Promise<void>): Promise<void> {
  const server = await StandInApiServer.start({ tls });
  try {
    await test(server);
  } finally {
    await server.stop();
  }
}

const TRUSTED = `certificate-authority-data: ${data(AUTHORITY.cert)}`;

describe.concurrent("the doctor of a cluster", () => {
  it("asks with the token over TLS, and finds the cluster as it should be", async () => {
    await withServer(AUTHORITY.issue(HOST), async (server) => {
      const file = kubeconfig(server.origin, TRUSTED, "{ token: secret }");
      const { code, of } = await doctor(["--kubeconfig", file]);
      expect(of("cluster-probe")).toMatchObject([{ level: "ok" }, { level: "ok" }]);
      expect(code).toBe(0);
      expect(new Set(server.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(["Bearer secret"]));
    });
  });

  it("misses no mutating webhook where the server's configuration says that it resolves tags", async () => {
    await withServer(AUTHORITY.issue(HOST), async (server) => {
      server.objects = { ...HEALTHY, [PATHS.mutating]: list() };
      const file = kubeconfig(server.origin, TRUSTED, "{ token: t }");
      const config = join(root, "server.yaml");
      const listeners = [{ listen: "127.0.0.1:1", gates: ["admit"] }];
      writeFileSync(config, JSON.stringify({ server: { tags: "resolve-unpinned", listeners } }));
      const levels = async (...args: readonly string[]) =>
        (await doctor(["--kubeconfig", file, ...args])).of("cluster-webhook").map(({ level }) => level);
      expect(await levels()).toEqual(["ok", "warning"]);
      expect(await levels("--config", config)).toEqual(["ok"]);
    });
  });

  it("ends with 1 where a pod that must be refused is admitted", async () => {
    await withServer(AUTHORITY.issue(HOST), async (server) => {
      server.decide = () => undefined;
      const { code, of } = await doctor([], { KUBECONFIG: kubeconfig(server.origin, TRUSTED, "{ token: t }") });
      expect(of("cluster-probe")).toMatchObject([{ level: "problem" }]);
      expect(code).toBe(1);
    });
  });

  it("shows its client certificate", async () => {
    const tls = { ...AUTHORITY.issue(HOST), requestCert: true, rejectUnauthorized: true, ca: AUTHORITY.cert };
    await withServer(tls, async (server) => {
      const { cert, key } = AUTHORITY.issue({ names: ["admin"], purposes: ["1.3.6.1.5.5.7.3.2"] });
      const user = `{ client-certificate-data: ${data(cert)}, client-key-data: ${data(key)} }`;
      expect((await doctor(["--kubeconfig", kubeconfig(server.origin, TRUSTED, user)])).code).toBe(0);
      const without = await doctor(["--kubeconfig", kubeconfig(server.origin, TRUSTED, "{ token: t }")]);
      expect(without.of("cluster-api")).toMatchObject([{ level: "problem" }]);
    });
  });

  it("trusts the kubeconfig's authority alone, and warns where nothing is verified", async () => {
    const other = new CertificateAuthority("Other");
    await withServer(other.issue(HOST), async (server) => {
      // The system's authorities, this one among them, do not count beside the cluster's own.
      const system = join(root, "system.pem");
      writeFileSync(system, other.cert);
      const env = { SSL_CERT_FILE: system };
      const refused = await doctor(["--kubeconfig", kubeconfig(server.origin, TRUSTED, "{ token: t }")], env);
      const advice = expect.stringContaining("certificate-authority-data");
      expect(refused.findings).toMatchObject([{ level: "problem", name: "cluster-api", advice }]);
      expect(JSON.stringify(refused.findings)).not.toContain("caFiles");
      expect(server.requests).toEqual([]);
      const named = await doctor(["--kubeconfig", kubeconfig(server.origin, "namespace: x", "{ token: t }")], env);
      expect(named.code).toBe(0);
      const unverified = await doctor([
        "--kubeconfig",
        kubeconfig(server.origin, "insecure-skip-tls-verify: true", "{ token: t }"),
      ]);
      expect(unverified.of("cluster-tls")).toMatchObject([{ level: "warning" }]);
      expect(unverified.code).toBe(0);
    });
  });

  it("asks kubectl proxy without a kubeconfig, in the namespace that is named", async () => {
    const server = await StandInApiServer.start();
    try {
      server.objects = { ...HEALTHY, "/api/v1/namespaces/shop/pods": { items: [] } };
      const { code } = await doctor(["--server", server.origin, "--namespace", "shop"]);
      expect(code).toBe(0);
      expect(server.requests.filter(({ method }) => method === "POST").map(({ path }) => path)).toEqual([
        "/api/v1/namespaces/shop/pods",
      ]);
      expect(server.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    } finally {
      await server.stop();
    }
  });

  it.each<[string, readonly string[]]>([
    ["no kubeconfig", []],
    ["options of a node", ["--probe", "--server", "http://127.0.0.1:1"]],
    ["options of the other gate", ["--containers", "--server", "http://127.0.0.1:1"]],
    ["two ways to name a cluster", ["--server", "http://127.0.0.1:1", "--context", "x"]],
    ["an address that is not kubectl proxy's", ["--server", "https://10.0.0.1"]],
  ])("ends with 3 for %s", async (_, args) => {
    const { code, stderr } = await doctor(args);
    expect(stderr).toContain("input.malformed");
    expect(code).toBe(3);
  });

  it("is asked for by --cluster alone", async () => {
    const { code, stdout } = await ask(["doctor", "--context", "x"]);
    expect(stdout).toContain("add --cluster");
    expect(code).toBe(3);
  });
});
