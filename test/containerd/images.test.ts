import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, headline } from "../support/binary.ts";
import { keyEnvironment } from "../support/cache-key.ts";
import { connectCri } from "../support/cri.ts";
import { missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, pushImage } from "../support/image.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";
import {
  type Machine,
  missingBinary,
  recordImage,
  type SigningSide,
  startMachine,
  startSigningSide,
} from "../support/scenario.ts";
import type { Signer } from "../support/signer.ts";

const testable = requirement(
  "the images of a node",
  ...["containerd", "ctr", "docker-registry"].map(missingTool),
  missingBinary(),
);

interface Listed {
  readonly images: readonly {
    readonly image: string;
    readonly code: string;
    readonly outcome: string;
    readonly namespaces: readonly string[];
  }[];
  readonly judged: number;
  readonly of: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly would: Readonly<Record<string, number>>;
  readonly ended?: { readonly code: string };
}

describe.runIf(testable)("atcr-verify images", () => {
  let registry: Registry;
  let side: SigningSide;
  let machine: Machine;
  let alice: Signer;
  let folder: string;
  let configuration: Readonly<Record<string, unknown>>;

  beforeAll(async () => {
    folder = makeTemporaryDirectory("images-test");
    [registry, side] = await Promise.all([startDockerRegistry(), startSigningSide("https")]);
    alice = await side.createSigner("alice");
    writeFileSync(join(folder, "ca.pem"), side.ca ?? "");
    machine = await startMachine({
      registries: [{ host: registry.host }],
      env: { SSL_CERT_FILE: join(folder, "ca.pem") },
    });
    configuration = { plcDirectories: [side.plc.origin], network: { allow: ["127.0.0.0/8", registry.url] } };
    machine.configure(configuration);
    const rule = (name: string, action: string) => ({ name, action, scope: `${registry.host}/${name}/**` });
    const policy = (fallback: string, ...policies: readonly object[]) => ({
      version: 1,
      trustedDIDs: [alice.did],
      policies,
      default: fallback,
    });
    machine.trust(policy("allow", rule("other", "enforce")));
    for (const repository of ["alice/signed", "alice/unsigned", "exempt/x", "audited/x", "nobody/x"]) {
      const content = buildImage(repository);
      await pushImage(registry.url, repository, content, "v1");
      if (repository === "alice/signed") await recordImage(alice, content, repository);
      const { code, stderr } = await machine.containerd.pull(`${registry.host}/${repository}:v1`);
      expect([code, stderr]).toEqual([0, expect.any(String)]);
    }
    if (machine.containerd.root) {
      const cri = connectCri(machine.containerd.socket);
      await cri.pullImage(`${registry.host}/alice/signed:v1`);
      cri.close();
    }
    machine.trust(
      policy(
        "deny",
        { ...rule("alice", "enforce"), require: { owner: "any" } },
        rule("exempt", "allow"),
        rule("audited", "audit"),
      ),
    );
  });
  afterAll(async () => {
    await Promise.all([machine, registry, side].map((started) => started?.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  const images = (args: readonly string[] = [], started?: (child: ChildProcess) => void, through?: readonly string[]) =>
    ask(["images", "--address", machine.containerd.socket, ...args], {
      env: {
        SSL_CERT_FILE: join(folder, "ca.pem"),
        ATCR_VERIFY_CONFIG: machine.configFile,
        ...keyEnvironment(dirname(machine.configFile)),
      },
      ...(started && { started }),
      ...(through && { through }),
    });

  it("judges each image of each namespace as if it were pulled now", async () => {
    const { code, stdout, stderr } = await images(["--output", "json"]);
    const { images: listed, counts, would, ...rest } = JSON.parse(stdout) as Listed;
    const found = Object.fromEntries(
      listed.map(({ image, code: one }) => [image.slice(registry.host.length + 1), one]),
    );
    expect(found).toEqual({
      "alice/signed:v1": "signed",
      "alice/unsigned:v1": "signature.none",
      "exempt/x:v1": "exempt",
      "audited/x:v1": "audited",
      "nobody/x:v1": "policy.no_match",
    });
    expect([code, stderr]).toEqual([1, ""]);
    expect(counts).toEqual({ signed: 1, "signature.none": 1, exempt: 1, audited: 1, "policy.no_match": 1 });
    expect(would).toEqual({ "signature.none": 1 });
    expect(rest).toEqual({ judged: 5, of: 5 });
    const [signed] = listed.filter(({ code: one }) => one === "signed");
    expect(signed?.namespaces.toSorted()).toEqual(machine.containerd.root ? ["default", "k8s.io"] : ["default"]);
  });

  it("shows a table at a terminal, with digest and reason below what is not allowed", async () => {
    const script = 'script --quiet --return --command "stty cols 100; $0 $*" /dev/null';
    const { stdout } = await images([], undefined, ["/bin/sh", "-c", script]);
    const text = stripVTControlCharacters(stdout).replaceAll("\r", "");
    expect(text).toMatch(/^allowed {2}\S+\/alice\/signed:v1 {2,}signed$/m);
    expect(text).toMatch(
      /^refused {2}\S+\/nobody\/x:v1 {2,}policy\.no_match\n {2}sha256:[0-9a-f]{64}\n {2}deny policy\.no_match: /m,
    );
    expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
  });

  it("shows those alone that would be refused, or of one namespace, and how far it is", async () => {
    const logged = () => readFileSync(machine.defaults.decisionLog, "utf8");
    const before = logged();
    const refused = await images(["--refused", "--audited", "--progress"]);
    expect(
      refused.stdout
        .split("\n")
        .map((line) => line.split(" ")[0] ?? "")
        .toSorted(),
    ).toEqual(["", "5", "audited", "refused", "refused"]);
    expect(refused.stdout).toContain("would be refused under enforce: 1 signature.none");
    expect(refused.stderr).toContain("5 of 5 images verified");
    // A name that was mistyped is no node without refused images.
    const unknown = await images(["--namespace", "k8s-io"]);
    expect([headline(unknown), unknown.stdout]).toEqual([
      "3 misconfigured config.invalid",
      expect.not.stringContaining("--address"), // containerd was found
    ]);
    // It asks as a pull does, and tells of no decision: nothing was pulled.
    expect(logged()).toBe(before);
  });

  it("waits for another process as long as a pull would, not as long as all of it may take", async () => {
    const { cacheDir } = machine.defaults;
    const locks = join(cacheDir, "locks");
    // Turns are taken where there is a cache alone.
    machine.configure({ ...configuration, cacheEnabled: true });
    rmSync(cacheDir, { recursive: true, force: true });
    mkdirSync(locks, { recursive: true, mode: 0o755 });
    // This very process has the turn, and lives on.
    const started = readFileSync("/proc/self/stat", "latin1")
      .replace(/^.*\) /s, "")
      .split(" ")[19];
    const work = `signer-${createHash("sha256").update(alice.did).digest("hex")}`;
    writeFileSync(join(locks, work), `${process.pid} ${started}`);
    const began = performance.now();
    const { stdout } = await images(["--output", "json"]);
    const { counts } = JSON.parse(stdout) as Listed;
    expect([counts["signed"], performance.now() - began < 8000]).toEqual([1, true]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("tells what it has found by the time that %s ends it", async (signal) => {
    machine.configure({ ...configuration, deadline: "60s" });
    side.pds.delay(60_000);
    try {
      const { code, stdout } = await images(["--output", "json", "--progress"], (child) => {
        child.stderr?.on("data", (told: Buffer) => told.includes("2 of 5 images verified") && child.kill(signal));
      });
      const { images: listed, ended, ...rest } = JSON.parse(stdout) as Listed;
      expect([code, ended?.code, rest.judged, rest.of]).toEqual([2, "net.interrupted", 2, 5]);
      expect(rest.counts).toEqual({ exempt: 1, "policy.no_match": 1 });
      expect(listed.map(({ code: one }) => one).toSorted()).toEqual(["exempt", "policy.no_match"]);
    } finally {
      side.pds.reset();
      machine.configure(configuration);
    }
  });

  it("says where containerd does not answer", async () => {
    const answered = await ask(["images", "--address", join(folder, "none.sock")], {
      env: { ATCR_VERIFY_CONFIG: machine.configFile, ...keyEnvironment(dirname(machine.configFile)) },
    });
    expect(headline(answered)).toBe("3 misconfigured config.invalid");
    expect(answered.stdout).toContain(`containerd does not answer at ${join(folder, "none.sock")}; is it running?`);
  });
});
