import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Rejection } from "../../../../src/core/rejection.ts";
import {
  chooseCluster,
  clusterByProxy,
  type KubeconfigChoice,
} from "../../../../src/platform/kubernetes/kubeconfig.ts";
import { CertificateAuthority } from "../../../support/certificates.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { codeOf } from "../../../support/rejection.ts";

const root = makeTemporaryDirectory("kubeconfig");
afterAll(() => rmSync(root, { recursive: true, force: true }));
const AUTHORITY = new CertificateAuthority("Cluster");
const [CLIENT, OTHER] = [AUTHORITY.issue({ names: ["admin"] }), AUTHORITY.issue({ names: ["other"] })];
const data = (text: string): string => Buffer.from(text).toString("base64");

function write(name: string, text: string, mode = 0o600): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** @param cluster and user in YAML's flow style */
function kubeconfig(cluster: string, user = "{ token: t }", name = "config"): string {
  const entries = `clusters: [{ name: c, cluster: ${cluster} }]\nusers: [{ name: u, user: ${user} }]`;
  return write(name, `current-context: x\ncontexts: [{ name: x, context: { cluster: c, user: u } }]\n${entries}\n`);
}

const SERVER = "{ server: 'https://10.0.0.1:6443/k8s/' }";
const choose = (file: string, choice: KubeconfigChoice = {}) =>
  chooseCluster({ file, ...choice }, { PATH: "/usr/bin:/bin" });

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (failed: unknown) => failed,
  );
  if (!(error instanceof Rejection)) throw new Error(`expected a rejection, found ${String(error)}`);
  expect(error.code).toBe("input.malformed");
  return error.message;
}

describe("the cluster of a kubeconfig", () => {
  it("is reached by its server, authority and token", async () => {
    const file = kubeconfig(
      `{ server: 'https://10.0.0.1:6443/k8s/', certificate-authority-data: ${data(AUTHORITY.cert)} }`,
    );
    const { access, from } = await choose(file);
    expect(access).toEqual({
      server: "https://10.0.0.1:6443/k8s",
      skipVerify: false,
      authority: { path: file, text: AUTHORITY.cert },
      token: "t",
    });
    expect(from).toBe(`the context x of ${file}`);
  });

  it("reads files by the folder of the kubeconfig, and takes data before them", async () => {
    write("pki/ca.pem", AUTHORITY.cert);
    write("pki/client.pem", CLIENT.cert);
    write("pki/token", "fresh\n");
    const key = `client-key-data: ${data(CLIENT.key)}, client-key: pki/gone.pem`;
    const user = `{ client-certificate: pki/client.pem, ${key}, token: old, tokenFile: pki/token }`;
    const { access } = await choose(
      kubeconfig("{ server: 'https://a.test', certificate-authority: pki/ca.pem }", user),
    );
    expect(access).toMatchObject({
      authority: { text: AUTHORITY.cert },
      client: { cert: CLIENT.cert, key: CLIENT.key },
      token: "fresh",
    });
  });

  it("is that of the first file of KUBECONFIG that names it, else of ~/.kube/config", async () => {
    const second = kubeconfig(SERVER, "{ token: second }", "second");
    const first = write("first", "contexts: [{ name: y, context: { cluster: c, user: u, namespace: shop } }]");
    const environment = { KUBECONFIG: `${join(root, "gone")}:${first}:${second}`, HOME: root };
    expect(await chooseCluster({ context: "y" }, environment)).toMatchObject({
      access: { token: "second" },
      namespace: "shop",
    });
    kubeconfig(SERVER, "{ token: home }", ".kube/config");
    expect(await chooseCluster({}, { HOME: root })).toMatchObject({ access: { token: "home" } });
  });

  it.each<[string, string, string | undefined, string]>([
    ["a server by plain http", "{ server: 'http://10.0.0.1' }", undefined, "expected https"],
    ["no server", "{}", undefined, "expected https"],
    ["tls-server-name", "{ server: 'https://a.test', tls-server-name: b }", undefined, "kubectl proxy"],
    [
      "an authority that is none",
      `{ server: 'https://a.test', certificate-authority-data: ${data("x")} }`,
      undefined,
      "no certificate",
    ],
    [
      "a file that is not there",
      "{ server: 'https://a.test', certificate-authority: gone.pem }",
      undefined,
      "there is no",
    ],
    ["auth-provider", SERVER, "{ auth-provider: { name: gcp } }", "auth-provider is not supported"],
    [
      "a key of another certificate",
      SERVER,
      `{ client-certificate-data: ${data(OTHER.cert)}, client-key-data: ${data(CLIENT.key)} }`,
      "another key",
    ],
    [
      "a key that is none",
      SERVER,
      `{ client-certificate-data: ${data(OTHER.cert)}, client-key-data: ${data("x")} }`,
      "cannot be read",
    ],
  ])("is rejected with %s", async (_, cluster, user, message) => {
    expect(await messageOf(choose(kubeconfig(cluster, user)))).toContain(message);
  });

  it("is rejected without a kubeconfig, or a context, cluster or user of that name", async () => {
    expect(await messageOf(chooseCluster({}, {}))).toContain("HOME and KUBECONFIG are not set");
    expect(await messageOf(choose(join(root, "gone")))).toContain("there is no");
    expect(await messageOf(choose(kubeconfig(SERVER), { context: "z" }))).toContain('no context "z"');
    expect(await messageOf(choose(write("bare", "users: []")))).toContain("no current-context");
    const half = write("half", "current-context: x\ncontexts: [{ name: x, context: { cluster: c } }]");
    expect(await messageOf(choose(half))).toContain('no cluster "c"');
  });
});

describe("a credential plugin", () => {
  const VERSION = "client.authentication.k8s.io/v1";
  const exec = (command: string, more = "") => `{ exec: { apiVersion: ${VERSION}, command: '${command}'${more} } }`;
  const printing = (status: string) =>
    `#!/bin/sh\necho '{"kind":"ExecCredential","apiVersion":"${VERSION}","status":${status}}'\n`;

  it("is run below the kubeconfig's folder, with its arguments and variables", async () => {
    write(
      "plugin",
      `#!/bin/sh\n[ "$1" = get ] && [ "$P" = q ] && [ -n "$KUBERNETES_EXEC_INFO" ] || exit 1\n${printing('{"token":"x"}')}`,
      0o700,
    );
    const file = kubeconfig(SERVER, exec("./plugin", ", args: [get], env: [{ name: P, value: q }]"));
    expect((await choose(file)).access).toMatchObject({ token: "x" });
  });

  it("is told the cluster where it asks for that, and may give a certificate", async () => {
    const status = JSON.stringify({ clientCertificateData: CLIENT.cert, clientKeyData: CLIENT.key });
    write("answer", `{"kind":"ExecCredential","apiVersion":"${VERSION}","status":${status}}`);
    write(
      "plugin",
      `#!/bin/sh\ncase "$KUBERNETES_EXEC_INFO" in *10.0.0.1:6443*) cat ${join(root, "answer")};; esac\n`,
      0o700,
    );
    const file = kubeconfig(SERVER, exec("./plugin", ", provideClusterInfo: true"));
    expect((await choose(file)).access.client).toEqual({ cert: CLIENT.cert, key: CLIENT.key });
    expect(await messageOf(choose(kubeconfig(SERVER, exec("./plugin"))))).toContain("printed no ExecCredential");
    write("answer", `{"kind":"ExecCredential","apiVersion":"${VERSION}","status":${status.replace(/MI/, "AA")}}`);
    const again = kubeconfig(SERVER, exec("./plugin", ", provideClusterInfo: true"));
    expect(await messageOf(choose(again))).toContain("cannot be read");
  });

  it.each<[string, string, string]>([
    ["that is not there", exec("./gone"), "was not run"],
    ["that is not in PATH", exec("no-such-plugin"), "was not found in PATH"],
    ["that fails", exec("./failing"), "ended with status 3"],
    ["that prints something else", exec("./talking"), "printed no ExecCredential"],
    ["that needs a terminal", exec("./talking", ", interactiveMode: Always"), "needs a terminal"],
    ["of an old version", "{ exec: { apiVersion: client.authentication.k8s.io/v1alpha1, command: x } }", "v1alpha1"],
  ])("%s is said with the way by kubectl proxy, and without what it printed", async (_, user, message) => {
    write("failing", "#!/bin/sh\necho secret >&2\nexit 3\n", 0o700);
    write("talking", "#!/bin/sh\necho secret\n", 0o700);
    const said = await messageOf(choose(kubeconfig(SERVER, user)));
    expect(said).toContain(message);
    expect(said).toContain("kubectl proxy");
    expect(said).not.toContain("secret");
  });

  it("is not run where others can change the kubeconfig, or the program", async () => {
    write("plugin", printing('{"token":"x"}'), 0o777);
    expect(await messageOf(choose(kubeconfig(SERVER, exec("./plugin"))))).toContain("not run");
    write("plugin", printing('{"token":"x"}'), 0o700);
    const file = kubeconfig(SERVER, exec("./plugin"));
    chmodSync(file, 0o666);
    expect(await messageOf(choose(file))).toContain("its exec is not run, as others can change it");
  });
});

describe("--server", () => {
  it("is kubectl proxy on this machine alone", () => {
    expect(clusterByProxy("http://127.0.0.1:8001/").access).toEqual({
      server: "http://127.0.0.1:8001",
      skipVerify: false,
    });
    expect(clusterByProxy("http://localhost:8001").access.server).toBe("http://localhost:8001");
    for (const url of ["https://127.0.0.1:6443", "http://10.0.0.1:8001", "http://a@127.0.0.1", "x"])
      expect(codeOf(() => clusterByProxy(url))).toBe("input.malformed");
  });
});
