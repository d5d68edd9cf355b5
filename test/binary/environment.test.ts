import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, ask, BINARY, enforcing, headline, TestNode } from "../support/binary.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import { HostileServer } from "../support/hostile-server.ts";
import { run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

let world: TestNode;
let image: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
});
afterAll(() => world.stop());

/** A signed and an unsigned image are told apart as ever. */
async function expectUsual(options: Ask): Promise<void> {
  const signed = await world.pull(world.name, image, options);
  expect(headline(signed)).toBe("0 allow signed");
  expect([signed.stdout.split("\n").length, signed.stderr]).toEqual([2, ""]);
  const refused = await world.pull(world.name, unsigned, options);
  expect(headline(refused)).toBe("1 deny signature.none");
  expect([refused.stdout.split("\n").length, refused.stderr]).toEqual([2, ""]);
}

describe.concurrent("the working folder", () => {
  it("may be the root, without HOME, and may have been deleted", async () => {
    await expectUsual({ cwd: "/" });
    const gone = [
      "/bin/sh",
      "-c",
      'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"',
      "sh",
      join(world.folder, "gone"),
    ];
    await expectUsual({ through: gone });
  });

  it("is not read: neither bunfig.toml nor .env nor what a script would be resolved by", async () => {
    const allowing = world.policy(
      "version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: allow\n",
      "weird/policy.yaml",
    );
    const config = world.configure({ trustPolicyPath: allowing }, "weird/config.yaml");
    world.write("weird/evil.ts", "process.exit(0);");
    world.write("weird/bunfig.toml", 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n');
    for (const file of [".env", ".env.local", ".env.production", ".env.development"]) {
      world.write(`weird/${file}`, `ATCR_VERIFY_CONFIG=${config}\nBUN_OPTIONS=--preload=./evil.ts\n`);
    }
    world.write("weird/tsconfig.json", '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}');
    world.write("weird/package.json", '{"imports":{"#*":"./evil.ts"},"type":"commonjs"}');
    world.write("weird/node_modules/@atproto/identity/index.js", "process.exit(0);");
    const cwd = join(world.folder, "weird");
    await expectUsual({ cwd });
    await expectUsual({ cwd, env: { ...world.env, HOME: cwd, XDG_CONFIG_HOME: cwd, NODE_ENV: "production" } });
    // Without the variable the file in /etc counts, and not what .env says.
    const { ATCR_VERIFY_CONFIG: _, ...env } = world.env;
    expect((await world.pull(world.name, image, { cwd, env })).code).not.toBe(0);
  });
});

describe.concurrent("the environment", () => {
  it("cannot send anything through a proxy", async () => {
    const proxy = await HostileServer.start("not HTTP");
    const url = `http://${proxy.authority}`;
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    await expectUsual({ env: { ...world.env, ...Object.fromEntries(names.map((name) => [name, url])) } });
    expect(proxy.connections).toBe(0);
    await proxy.stop();
  });

  it("cannot make the program say more than its one line", async () => {
    const talkative = {
      BUN_CONFIG_VERBOSE_FETCH: "curl",
      NODE_DEBUG: "http,net,fs",
      DEBUG: "*",
      NODE_OPTIONS: "--trace-warnings",
      LOG_TOKENS: "1",
      LOG_STREAM: "1",
    };
    await expectUsual({ env: { ...world.env, ...talkative } });
  });

  it("says by NODE_TLS_REJECT_UNAUTHORIZED=0 nothing that is heeded", async () => {
    const { SSL_CERT_FILE: _, ...env } = world.env;
    for (const options of [{ env }, { env: { ...env, NODE_TLS_REJECT_UNAUTHORIZED: "0" } }]) {
      const answered = await world.pull(world.name, image, options);
      expect(headline(answered)).toBe("2 inconclusive net.tls");
    }
  });

  it("names the configuration, and must name one that is there", async () => {
    const trustPolicyPath = world.policy(
      "version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: deny\n",
      "other.policy.yaml",
    );
    const other = world.configure({ trustPolicyPath }, "other.yaml");
    const env = { ...world.env, ATCR_VERIFY_CONFIG: other };
    expect(headline(await world.pull(world.name, image, { env }))).toBe("1 deny policy.no_match");
    for (const missing of [join(world.folder, "missing.yaml"), ""]) {
      const answered = await world.pull(world.name, image, { env: { ATCR_VERIFY_CONFIG: missing } });
      expect(headline(answered)).toBe("3 misconfigured config.invalid");
      expect(answered.stdout).toContain("ATCR_VERIFY_CONFIG");
    }
  });

  it("may be empty", async () => {
    const answered = await ask(["verify", "NGINX"], { env: {} });
    expect(headline(answered)).toBe("3 misconfigured image.malformed_reference");
  });

  it("may ask for just-in-time compilation, or not, and changes no answer by it", async () => {
    await expectUsual({ env: { ...world.env, BUN_JSC_useJIT: "0" } });
    await expectUsual({ env: { ...world.env, BUN_JSC_useJIT: "1" } });
  });
});

describe.concurrent("the name it is run by", () => {
  it.each(["verifier", "00-atcr.sh", "bun", "bunx", "node", "-name", "--help"])("may be a link: %s", async (name) => {
    mkdirSync(join(world.folder, "bin"), { recursive: true });
    const link = join(world.folder, "bin", name);
    symlinkSync(BINARY, link);
    await expectUsual({ binary: link });
  });

  it.each(["", "bun", "/usr/bin/bunx", "node", "-name", "x".repeat(10_000)])("may be any: %.20j", async (argv0) => {
    await expectUsual({ argv0 });
  });

  it("may be that of a copy whose file has gone while it ran", async () => {
    const copy = join(world.folder, "copy");
    copyFileSync(BINARY, copy);
    const vanishing = ["/bin/sh", "-c", '(sleep 0.02; rm "$0") & exec "$0" "$@"'];
    const answered = await world.pull(world.name, image, { through: vanishing, binary: copy });
    expect(headline(answered)).toBe("0 allow signed");
  });
});

const unshare = ["unshare", "--map-root-user", "--net"];
const canUnshare = (await run(unshare[0] ?? "", [...unshare.slice(1), "true"])).code === 0;
const missing = canUnshare ? undefined : "let `unshare -rn` work: user namespaces must be allowed";
const asRoot = missingRoot("in an ordinary user's namespace / belongs to nobody, and no file below it is trusted");

describe.runIf(requirement("the binary without a network", missing, asRoot))("without a network", () => {
  it("nothing that must be asked is allowed, and it is said", async () => {
    const answered = await world.pull(world.name, image, {
      through: unshare,
      env: { ...world.env, PATH: "/usr/bin:/bin" },
    });
    expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
    const byName = world.configure({ plcDirectories: ["https://plc.directory"] }, "by-name.yaml");
    const env = { ...world.env, PATH: "/usr/bin:/bin", ATCR_VERIFY_CONFIG: byName };
    expect(headline(await world.pull(world.name, image, { through: unshare, env }))).toBe(
      "2 inconclusive identity.unreachable",
    );
  });
});

describe.concurrent("another authority", () => {
  it("is not trusted by having signed the same names", async () => {
    const tls = new CertificateAuthority().issue({ names: ["127.0.0.1"] });
    const server = await HostileServer.start("no answer", { tls });
    const trustPolicyPath = world.policy(enforcing(world.signer.did), "authority.policy.yaml");
    const settings = { ...world.settings, plcDirectories: [server.origin], trustPolicyPath };
    const env = {
      ...world.env,
      ATCR_VERIFY_CONFIG: world.configure(settings, "authority.yaml"),
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
    };
    expect(headline(await world.pull(world.name, image, { env }))).toBe("2 inconclusive net.tls");
    expect(server.requests).toEqual([]);
    await server.stop();
  });
});
