import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Answered, accepting, ask, auditing, enforcing, TestNode } from "../support/binary.ts";
import { CODE_SIGNING, selfSigned } from "../support/certificates.ts";
import { type Descriptor, INDEX_TYPE, StandInRegistry } from "../support/stand-in-registry.ts";

// `atcr-verify vouch` without the other verifiers: what it refuses, and what it leaves unpushed.

const REPOSITORY = "alice/app";
let world: TestNode;
const at = (name: string): string => join(world.folder, name);
const nameOf = ({ digest }: Descriptor): string => `${world.name}@${digest}`;

beforeAll(async () => {
  world = await TestNode.start();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  world.write("own.key", privateKey.export({ type: "pkcs8", format: "pem" }).toString(), 0o600);
  const { cert, key } = selfSigned({ names: ["Example"], purposes: [CODE_SIGNING] });
  world.write("notation.key", key, 0o600);
  world.write("notation.pem", cert);
});
afterAll(() => world.stop());
afterEach(() => {
  for (const server of [world.plc, world.pds, world.registry]) server.reset();
  world.registry.forget();
  Object.assign(world.registry, { referrersApi: "on", access: "anonymous", conditions: false });
  world.policy(enforcing(world.signer.did));
});

interface Row {
  readonly image: string;
  readonly state: string;
  readonly code?: string;
  readonly [more: string]: unknown;
}

const run = (images: readonly string[], ...more: readonly string[]): Promise<Answered> =>
  ask(["vouch", ...images, "-o", "json", ...more], { env: world.env });
const cosign = (images: readonly string[], ...more: readonly string[]) =>
  run(images, "--format", "cosign", "--key", at("own.key"), ...more);
const notation = (images: readonly string[], ...more: readonly string[]) =>
  run(images, "--format", "notation", "--key", at("notation.key"), "--certificate", at("notation.pem"), ...more);
const rowsOf = ({ stdout }: Answered): readonly Row[] => {
  const { images } = JSON.parse(stdout);
  if (images === undefined) throw new Error(stdout);
  return images;
};
const states = (answered: Answered) => [answered.code, ...rowsOf(answered).map(({ state, code }) => code ?? state)];
const mistake = ({ code, stdout }: Answered) => [code, JSON.parse(stdout).code, JSON.parse(stdout).reason];
/** Requests that change something. */
const writes = () => world.registry.requests.filter(({ method }) => !["GET", "HEAD"].includes(method));

describe("what is vouched for", () => {
  it("is an image that is signed by evidence of now, with the signer's claims", async () => {
    const image = await world.image("vouched");
    const answered = await cosign([nameOf(image)]);
    const tag = `${image.digest.replace(":", "-")}.sig`;
    expect(states(answered)).toEqual([0, "pushed"]);
    const [row] = rowsOf(answered);
    const { critical, optional } = JSON.parse(String(row?.["payload"]));
    expect(critical).toEqual({
      identity: { "docker-reference": `${world.registry.authority}/${REPOSITORY}` },
      image: { "docker-manifest-digest": image.digest },
      type: "cosign container image signature",
    });
    expect(optional).toEqual(row?.["claims"]);
    expect(optional).toEqual({
      "atcr-verify.did": world.signer.did,
      "atcr-verify.handle": "alice.example.com",
      "atcr-verify.rev": expect.stringMatching(/^[2-7a-z]{13}$/),
      "atcr-verify.time": expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    expect(row?.["tag"]).toBe(tag);
    expect(world.registry.manifestAt(REPOSITORY, tag)["layers"]).toHaveLength(1);
    expect((await cosign([nameOf(image)])).code).toBe(0);
    expect(world.registry.manifestAt(REPOSITORY, tag)["layers"]).toHaveLength(2);
  });

  it("is not an image that nobody signed, that is exempt or only audited, whatever break-glass says", async () => {
    const [signed, unsigned] = [await world.image("of two"), await world.image("unsigned", { signed: false })];
    expect(states(await cosign([nameOf(signed), nameOf(unsigned)]))).toEqual([1, "verified", "signature.none"]);
    world.policy(auditing(world.signer.did));
    const audited = await cosign([nameOf(unsigned)]);
    expect([states(audited), rowsOf(audited)[0]?.state]).toEqual([[1, "audited"], "refused"]);
    const scope = `${world.registry.authority}/**`;
    world.policy(`version: 1.0\npolicies:\n  - {name: all, scope: ${JSON.stringify(scope)}, action: allow}\n`);
    expect(states(await cosign([nameOf(signed)]))).toEqual([1, "exempt"]);
    world.policy(enforcing(world.signer.did));
    const until = new Date(Date.now() + 600_000).toISOString();
    world.write("break-glass.yaml", JSON.stringify({ reason: "test", until, scope }));
    const env = { ...world.env, ATCR_VERIFY_BREAK_GLASS: at("break-glass.yaml") };
    const pulled = await world.pull(world.name, unsigned, { env });
    expect([pulled.code, pulled.stdout]).toEqual([0, expect.stringContaining("allow break_glass")]);
    const args = ["vouch", nameOf(unsigned), "-o", "json", "--format", "cosign", "--key", at("own.key")];
    expect(states(await ask(args, { env }))).toEqual([1, "signature.none"]);
    expect(writes()).toEqual([]);
  });

  it("needs evidence of this command: no cache, no bundle, no attachment, and not offline", async () => {
    world.policy(accepting(world.signer.did));
    const image = await world.image("cached");
    const caching = { ...world.settings, cacheEnabled: true };
    const config = ["--config", world.configure(caching, "caching.yaml")];
    const env = { ...world.env, ATCR_VERIFY_CONFIG: config[1] ?? "" };
    expect((await ask(["verify", nameOf(image)], { env })).code).toBe(0);
    for (const server of [world.plc, world.pds]) server.override("", { status: 503 });
    expect((await ask(["verify", nameOf(image)], { env })).code).toBe(0);
    const answered = await cosign([nameOf(image)], ...config);
    expect([answered.code, rowsOf(answered)[0]?.state]).toEqual([2, "inconclusive"]);
    const key = ["--format", "cosign", "--key", at("own.key"), ...config];
    expect((await ask(["vouch", nameOf(image), ...key], { env: world.env })).stdout).toMatch(/^not verified [^ ]+ /);
    const offline = world.configure({ ...world.settings, offline: true }, "offline.yaml");
    expect(mistake(await cosign([nameOf(image)], "--config", offline)).slice(0, 2)).toEqual([3, "config.invalid"]);
    expect(writes()).toEqual([]);
  });

  it.each(["bundle", "attachment"])("does not count the evidence of a %s, by which a pull is allowed", async (kind) => {
    world.policy(accepting(world.signer.did));
    const image = await world.image(`evidence from a ${kind}`);
    const [seal, file] = [at(`${kind}.seal`), at(`${kind}.file`)];
    const settings = { ...world.settings, bundleDir: at(`${kind}.imported`), bundleKeys: [`${seal}.pub`] };
    const plain = (...args: readonly string[]) => ask(args, { env: world.env });
    expect((await plain("bundle", "keygen", "-o", seal)).code).toBe(0);
    const config = ["--config", world.configure(settings, `${kind}.yaml`)];
    if (kind === "attachment") {
      expect((await plain("attach", nameOf(image), "--seal", seal)).code).toBe(0);
    } else {
      expect((await plain("bundle", "create", nameOf(image), "-o", file, "--seal", seal)).code).toBe(0);
      expect((await plain("bundle", "import", file, ...config)).code).toBe(0);
    }
    for (const server of [world.plc, world.pds]) server.override("", { status: 503 });
    world.registry.forget();
    expect((await plain("verify", nameOf(image), ...config)).code).toBe(0);
    const answered = await cosign([nameOf(image)], ...config);
    expect(states(answered)).toEqual([2, "identity.unreachable"]);
    expect(writes()).toEqual([]);
  });

  it("is not an image whose rule audits where there is no answer in time", async () => {
    world.policy(auditing(world.signer.did));
    const image = await world.image("too late");
    world.pds.override("", () => new Promise(() => {}));
    const config = ["--config", world.configure({ ...world.settings, deadline: "1s" }, "hasty.yaml")];
    const answered = await cosign([nameOf(image)], ...config);
    expect([answered.code, rowsOf(answered)[0]?.state]).toEqual([2, "inconclusive"]);
    expect(writes()).toEqual([]);
  });

  it("is of an index the index alone, and its images only for --platform, each signed for itself", async () => {
    const [amd64, arm64] = [await world.image("amd64"), await world.image("arm64", { signed: false })];
    const entries = [
      { ...amd64, platform: { os: "linux", architecture: "amd64" } },
      { ...arm64, platform: { os: "linux", architecture: "arm64" } },
    ];
    const index = world.registry.pushManifest(REPOSITORY, {
      schemaVersion: 2,
      mediaType: INDEX_TYPE,
      manifests: entries,
    });
    await world.signer.sign(index.digest, "app", Date.now() - 1000);
    const alone = await cosign([nameOf(index)]);
    expect(states(alone)).toEqual([0, "pushed"]);
    world.registry.forget();
    const both = await cosign([nameOf(index)], "--platform", "linux/amd64", "--platform", "linux/arm64");
    expect(states(both)).toEqual([1, "verified", "verified", "signature.none"]);
    expect(rowsOf(both)[2]?.["platform"]).toBe("linux/arm64");
    expect(states(await cosign([nameOf(index)], "--platform", "linux/s390x"))).toEqual([
      3,
      "verified",
      "input.malformed",
    ]);
    expect(states(await cosign([nameOf(amd64)], "--platform", "linux/amd64"))).toEqual([
      3,
      "verified",
      "input.malformed",
    ]);
    expect(writes()).toEqual([]);
    const own = await cosign([nameOf(index)], "--platform", "linux/amd64");
    expect(states(own)).toEqual([0, "pushed", "pushed"]);
    expect(rowsOf(own)[1]?.image).toContain(amd64.digest);
  });

  it("is a digest of a repository once, however often it is named", async () => {
    const image = await world.image("twice");
    expect(states(await cosign([nameOf(image), nameOf(image)]))).toEqual([0, "pushed"]);
  });
});

describe("what is pushed", () => {
  it("is nothing under --dry-run, which asks for no token that may push and prints the payload", async () => {
    const image = await world.image("dry");
    world.registry.access = "token";
    world.registry.forget();
    const [first, second] = [
      await cosign([nameOf(image)], "--dry-run"),
      await notation([nameOf(image)], "--expires", "1d", "--dry-run"),
    ];
    expect([states(first), states(second)]).toEqual([
      [0, "signed"],
      [0, "signed"],
    ]);
    expect(JSON.parse(String(rowsOf(second)[0]?.["payload"]))).toEqual({
      targetArtifact: {
        mediaType: image.mediaType,
        digest: image.digest,
        size: image.size,
        annotations: rowsOf(second)[0]?.["claims"],
      },
    });
    expect(writes()).toEqual([]);
    const scopes = world.registry.requests.flatMap(({ query }) => query.get("scope") ?? []);
    expect(new Set(scopes)).toEqual(new Set([`repository:${REPOSITORY}:pull`]));
    const text = await ask(["vouch", nameOf(image), "--format", "cosign", "--key", at("own.key"), "--dry-run"], {
      env: world.env,
    });
    expect(text.stdout).toContain(`would push ${world.registry.authority}`);
    expect(text.stdout).toContain("--dry-run: nothing is pushed\n");
    expect(text.stdout).toContain('"docker-manifest-digest"');
  });

  it("is nothing if the image of one signature cannot be had from the registry", async () => {
    const [first, second] = [await world.image("there"), await world.image("gone")];
    world.registry.remove(REPOSITORY, second.digest);
    const answered = await cosign([nameOf(first), nameOf(second)]);
    expect([answered.code, rowsOf(answered)[0]?.state, rowsOf(answered)[1]?.state]).toEqual([2, "signed", "failed"]);
    expect(writes()).toEqual([]);
  });

  it("is said exactly where the registry fails midway", async () => {
    const images = [await world.image("midway 1"), await world.image("midway 2"), await world.image("midway 3")];
    const tag = `${images[1]?.digest.replace(":", "-")}.sig`;
    world.registry.override(({ method, url }) => method === "PUT" && url.includes(tag), { status: 403 });
    const answered = await cosign(images.map(nameOf));
    expect(states(answered)).toEqual([2, "pushed", "registry.unauthorized", "signed"]);
    expect(rowsOf(answered)[1]?.state).toBe("failed");
    const found = images.map(
      ({ digest }) => "layers" in world.registry.manifestAt(REPOSITORY, `${digest.replace(":", "-")}.sig`),
    );
    expect(found).toEqual([true, false, false]);
  });

  it("keeps what others write at cosign's tag at the same time, and never replaces something else", async () => {
    world.registry.conditions = true;
    const image = await world.image("raced");
    const tag = `${image.digest.replace(":", "-")}.sig`;
    let isDone = false;
    world.registry.override(
      ({ method, url }) => method === "PUT" && url.includes(tag) && !isDone,
      () => {
        isDone = true;
        return { status: 412 };
      },
    );
    expect(states(await cosign([nameOf(image)]))).toEqual([0, "pushed"]);
    const other = await world.image("no signatures there");
    world.registry.pushManifest(
      REPOSITORY,
      { schemaVersion: 2, layers: [{ mediaType: "x/y" }] },
      `${other.digest.replace(":", "-")}.sig`,
    );
    expect(states(await cosign([nameOf(other)]))).toEqual([2, "registry.bad_response"]);
  });

  it.each(["on", 404] as const)("is listed as a referrer for Notation (Referrers API: %s)", async (referrersApi) => {
    world.registry.referrersApi = referrersApi;
    const image = await world.image(`referrer ${referrersApi}`);
    const answered = await notation([nameOf(image)], "--expires", "7d");
    expect(states(answered)).toEqual([0, "pushed"]);
    const [row] = rowsOf(answered);
    expect(row?.["tag"]).toBe(referrersApi === "on" ? undefined : image.digest.replace(":", "-"));
    expect(Date.parse(String(row?.["expires"])) - Date.now()).toBeGreaterThan(6.9 * 86_400_000);
    const type = "application/vnd.cncf.notary.signature";
    expect(world.registry.referrers(REPOSITORY, image.digest)).toEqual([
      expect.objectContaining({ digest: row?.["manifest"], artifactType: type }),
    ]);
  });

  it("is refused on ATCR before anything is asked, unless --force says so", async () => {
    const image = await world.image("on ATCR");
    const settings = { ...world.settings, atcrHosts: [world.registry.authority] };
    const config = ["--config", world.configure(settings, "atcr.yaml")];
    world.registry.forget();
    expect(mistake(await cosign([nameOf(image)], ...config)).slice(0, 2)).toEqual([3, "input.malformed"]);
    expect(world.registry.requests).toEqual([]);
    world.policy(accepting(world.signer.did).replace("offlineFor: 30d", "owner: any"));
    expect(states(await cosign([nameOf(image)], ...config, "--force"))).toEqual([0, "pushed"]);
  });

  it.each(["text", "json"])("is said where Ctrl-C ends it midway, as %s", async (form) => {
    const first = await world.image(`interrupted 1 ${form}`);
    const second = await world.image(`interrupted 2 ${form}`);
    const third = await world.image(`interrupted 3 ${form}`);
    let isAsked = (): void => {};
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    const tag = `${second.digest.replace(":", "-")}.sig`;
    world.registry.override(
      ({ method, url }) => method === "PUT" && url.includes(tag),
      () => {
        isAsked();
        return new Promise(() => {});
      },
    );
    const args = [
      "vouch",
      ...[first, second, third].map(nameOf),
      "--format",
      "cosign",
      "--key",
      at("own.key"),
      "-o",
      form,
    ];
    const answered = await ask(args, {
      env: world.env,
      started: (child) => void asked.then(() => child.kill("SIGINT")),
    });
    if (form === "json") {
      expect(states(answered)).toEqual([2, "pushed", "pushing", "signed"]);
      expect(JSON.parse(answered.stdout)).toMatchObject({ code: "net.interrupted", reason: expect.any(String) });
      return;
    }
    const name = `${world.name}@`;
    const begins = [
      `pushed ${name}${first.digest}`,
      `perhaps pushed ${name}${second.digest}`,
      `not pushed ${name}${third.digest}`,
    ];
    const last = ["pushed 1 of 3 signatures for cosign", "inconclusive net.interrupted"];
    const lines = answered.stdout.split("\n");
    expect([answered.code, ...lines.map((line, i) => line.slice(0, [...begins, ...last][i]?.length))]).toEqual([
      2,
      ...begins,
      ...last,
      "",
    ]);
  });
});

describe("a registry of plain http", () => {
  it("is refused with the entry that would allow it, at a tag and at a digest, and used where it is listed", async () => {
    const registry = await StandInRegistry.start();
    try {
      const { authority } = registry;
      const { digest } = registry.pushImage(REPOSITORY, "plain http", "v1");
      await world.signer.sign(digest, "app", Date.now() - 1000);
      const names = [`${authority}/${REPOSITORY}:v1`, `${authority}/${REPOSITORY}@${digest}`];
      for (const name of names) {
        const answered = await cosign([name]);
        expect(states(answered)).toEqual([2, "net.tls"]);
        const advice = `; to allow plain http, list http://${authority} under network.allow`;
        expect(rowsOf(answered)[0]?.["detail"]).toContain(advice);
      }
      const network = { allow: ["127.0.0.0/8", `http://${authority}`] };
      const config = world.configure({ ...world.settings, network }, "plain.yaml");
      expect(states(await cosign(names, "--config", config))).toEqual([0, "pushed"]);
    } finally {
      await registry.stop();
    }
  });
});

describe("options", () => {
  it.each([
    [
      "--certificate",
      ["--format", "cosign", "--certificate", "notation.pem"],
      "--certificate is for --format notation",
    ],
    ["--expires", ["--format", "cosign", "--expires", "1d"], "--expires is for --format notation"],
    ["neither", ["--format", "notation"], "notation needs --certificate FILE and --expires DURATION"],
    ["no certificate", ["--format", "notation", "--expires", "1d"], /notation needs --certificate FILE$/],
    ["no expiry", ["--format", "notation", "--certificate", "notation.pem"], /notation needs --expires DURATION$/],
    [
      "too long",
      ["--format", "notation", "--certificate", "notation.pem", "--expires", "91d"],
      "expected a duration from 1s to 90d",
    ],
    [
      "none at all",
      ["--format", "notation", "--certificate", "notation.pem", "--expires", "0"],
      "expected a duration from 1s",
    ],
    [
      "after the certificate",
      ["--format", "notation", "--certificate", "notation.pem", "--expires", "31d"],
      "before the signature would by --expires",
    ],
    ["no platform", ["--format", "cosign", "--platform", "linux"], "--platform is"],
  ])("that do not fit are a mistake: %s", async (_, options, reason) => {
    const args = options.map((one) => (one === "notation.pem" ? at(one) : one));
    const answered = await run([world.name], "--key", at("notation.key"), ...args);
    expect(mistake(answered)).toEqual([3, "input.malformed", expect.stringMatching(reason)]);
  });

  it("take the pass phrase from a file or COSIGN_PASSWORD, and say so without one", async () => {
    const image = await world.image("encrypted");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "correct horse" });
    const key = ["--format", "cosign", "--key", world.write("encrypted.key", pem.toString(), 0o600), "--dry-run"];
    const file = world.write("phrase", "correct horse\n", 0o400);
    expect((await run([nameOf(image)], ...key, "--passphrase-file", file)).code).toBe(0);
    const args = ["vouch", nameOf(image), "-o", "json", ...key];
    expect((await ask(args, { env: { ...world.env, COSIGN_PASSWORD: "correct horse" } })).code).toBe(0);
    const wrong = mistake(await ask(args, { env: { ...world.env, COSIGN_PASSWORD: "battery" } }));
    expect(wrong).toEqual([3, "input.malformed", expect.stringContaining("pass phrase is wrong")]);
    expect(wrong.join("")).not.toContain("battery");
    const none = mistake(await run([nameOf(image)], ...key));
    expect(none).toEqual([3, "input.malformed", expect.stringContaining("--passphrase-file")]);
  });
});
