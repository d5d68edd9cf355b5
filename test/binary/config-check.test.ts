import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, ask, auditing, Bench, headline } from "../support/binary.ts";

let bench: Bench;
beforeAll(() => {
  bench = new Bench();
  bench.policy(auditing("did:web:a.example.com"));
  mkdirSync(join(bench.folder, "certs.d"));
});
afterAll(() => bench.remove());

const documented = ["cli.md", "configuration.md"]
  .map((name) => readFileSync(join(import.meta.dirname, "../../docs/reference", name), "utf8"))
  .join("\n");

interface Report {
  readonly config: string;
  readonly exists: boolean;
  readonly errors: number;
  readonly warnings: number;
  readonly findings: readonly { severity: string; name: string; message: string; line?: number }[];
  readonly settings: readonly { key: string; value: unknown; isSet: boolean; line?: number }[];
}

const check = (args: readonly string[], options = {}): Promise<Answered> =>
  ask(["config", "check", ...args], { env: bench.env, ...options });
async function report(...args: readonly string[]): Promise<Report & { readonly code: number | null }> {
  const { code, stdout } = await check([...args, "--output", "json"]);
  const read = JSON.parse(stdout) as Report;
  for (const { name } of read.findings) expect(documented).toContain(`\`${name}\``);
  for (const [, key = ""] of stdout.matchAll(/^ {2}"(\w+)":/gm)) expect(documented).toContain(`\`${key}\``);
  return { ...read, code };
}

describe.concurrent("config check", () => {
  it("says that nothing is wrong with the configuration of this node", async () => {
    const path = bench.env["ATCR_VERIFY_CONFIG"] ?? "";
    expect(await check([])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^${path}: 0 errors, 0 warnings; \\d+ of \\d+ keys are set\n$`)),
      stderr: "",
    });
  });

  it("lists what is not set, with its default, only with --verbose or in JSON", async () => {
    const path = bench.write("two.yaml", "# first\ncacheEnabled: false\ntrustPolicyPath: /etc/x.yaml\n");
    const { stdout } = await check([path, "--verbose", "--no-files"]);
    expect(stdout).toContain("\ndeadline  default  8s\n");
    expect(stdout).toContain("\ncacheEnabled  line 2  false\n");
    expect((await check([path, "--no-files"])).stdout).toMatch(/^\S+: 0 errors, 0 warnings; 2 of \d+ keys are set\n$/);
    const { settings } = await report(path, "--no-files");
    expect(settings).toContainEqual({ key: "deadline", value: "8s", isSet: false });
    expect(settings).toContainEqual({ key: "cacheEnabled", value: false, isSet: true, line: 2 });
  });

  it("reports all mistakes in one run, with status 3", async () => {
    const text =
      "cachTTL: 5m\ndeadline: 90\npdsTimeout: 1h\nnetwork: { allow: [https://a.example], proxy: { https: x } }\n";
    const path = bench.write("wrong.yaml", text);
    const answered = await check([path]);
    expect(headline(answered)).toBe("3 misconfigured config.invalid");
    expect(answered.stdout).toContain(`: 5 mistakes in ${path}\n\n${path}:1:1: cachTTL: `);
    expect(answered.stdout).toContain("(did you mean cacheTTL?)");
    const { stdout } = await check(["-", "--output", "json"], { stdin: text });
    const { config, complete, mistakes } = JSON.parse(stdout) as {
      config: string;
      complete: boolean;
      mistakes: { line: number; key: string }[];
    };
    expect({ config, complete }).toEqual({ config: "<stdin>", complete: true });
    expect(mistakes.map(({ line, key }) => `${line} ${key}`)).toEqual([
      "1 cachTTL",
      "2 deadline",
      "3 pdsTimeout",
      "4 network.allow[0]",
      "4 network.proxy.https",
    ]);
  });

  it("finds what it names and what is missing or cannot be used", async () => {
    const at = (name: string): string => join(bench.folder, "none", name);
    bench.write("not.pem", "x");
    const path = bench.configure(
      {
        trustPolicyPath: at("policy.yaml"),
        stateDir: at("state"),
        bundleKeys: [at("seal.pub")],
        registryConfigPath: at("certs.d"),
        registryCredentials: { files: [at("config.json")] },
        decisionLog: at("decisions.log"),
        metricsFile: at("metrics.prom"),
        lookaside: { listen: "127.0.0.1:1024", keyFile: at("node.key") },
        network: { caFiles: [join(bench.folder, "not.pem")] },
      },
      "names.yaml",
    );
    const { code, findings } = await report(path);
    expect(code).toBe(1);
    expect(
      findings.map(
        ({ severity, name, message }) => `${severity} ${name} ${/named by ([\w.]+)/.exec(message)?.[1] ?? ""}`,
      ),
    ).toEqual([
      "error file-unusable ",
      "error file-unusable ",
      "warning file-missing bundleKeys",
      "warning file-missing registryCredentials.files",
      "warning file-missing stateDir",
      "warning file-missing lookaside.keyFile",
      "warning file-missing registryConfigPath",
      "warning file-missing decisionLog",
      "warning file-missing metricsFile",
      "warning port-open ",
    ]);
    const text = readFileSync(path, "utf8").split("\n");
    expect(text[(findings[0]?.line ?? 0) - 1]).toContain("trustPolicyPath");
    expect(await report(path, "--no-files")).toMatchObject({ code: 0, findings: [] });
  });

  it("reads the files of a server as it does at its start", async () => {
    const tokens = bench.write("no-tokens", "# none yet\n", 0o600);
    const server = { listen: "127.0.0.1:8443", tokenFiles: [tokens] };
    const path = bench.configure({ server }, "server.yaml");
    const { code, findings } = await report(path);
    expect([code, findings.map(({ severity, name }) => `${severity} ${name}`)]).toEqual([1, ["error file-unusable"]]);
    bench.write("no-tokens", "ci:0123456789abcdef\n", 0o600);
    expect(await report(path)).toMatchObject({ code: 0, findings: [] });
  });

  it("shows the line of the listener whose certificate is missing, and names the check of a policy with a mistake", async () => {
    const policy = bench.write("wrong-policy.yaml", "version: 2\n");
    const none = join(bench.folder, "none.crt");
    const path = bench.write(
      "listeners.yaml",
      `trustPolicyPath: ${policy}\nserver:\n  listeners:\n    - listen: "127.0.0.1:8443"\n      gates: [admit]\n      tls:\n        certFile: ${none}\n        keyFile: ${none}\n`,
    );
    const { stdout } = await check([path]);
    expect(stdout).toContain(`${path}:7:19: error: there is no file ${none} [file-unusable]\n`);
    expect(stdout).toMatch(/\n *7 \|.*certFile: .*\n.*\^/);
    expect(stdout.replace(/\s+/g, " ")).toContain(`atcr-verify policy check ${policy} lists all its mistakes`);
  });

  it("warns of a journal without its socket, which --strict makes an error", async () => {
    const path = bench.configure({ decisionLog: "journald:/nonexistent/socket" }, "journal.yaml");
    expect(await report(path)).toMatchObject({ code: 0, findings: [{ name: "file-missing" }] });
    expect(await report(path, "--strict")).toMatchObject({ code: 1 });
  });

  it("warns of a configuration that others can change, and of a policy that they can change, as an error", async () => {
    const path = bench.configure({}, "open.yaml");
    chmodSync(path, 0o666);
    expect(await report(path)).toMatchObject({
      code: 0,
      findings: [{ severity: "warning", name: "config-distrusted" }],
    });
    const policy = bench.write("open-policy.yaml", auditing("did:web:a.example.com"), 0o666);
    const named = bench.configure({ trustPolicyPath: policy }, "names-open.yaml");
    expect(await report(named)).toMatchObject({ code: 1, findings: [{ severity: "error", name: "file-unusable" }] });
  });

  it("takes an absent file for the defaults only where none was named", async () => {
    expect(headline(await check(["/nonexistent.yaml"]))).toBe("3 misconfigured config.invalid");
    const { stdout } = await check(["--no-files", "--output", "json"], { env: {} });
    expect(JSON.parse(stdout)).toMatchObject({ exists: false, config: "/etc/atcr-verify/config.yaml", errors: 0 });
  });
});
