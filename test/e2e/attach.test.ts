import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import { checkSeal } from "../../src/core/evidence/bundle-seal.ts";
import { parseSealKey } from "../../src/core/evidence/seal-key.ts";
import { EVIDENCE_MEDIA_TYPE } from "../../src/core/oci/attached-evidence.ts";
import { EVIDENCE_TYPE } from "../../src/core/oci/referrers.ts";
import { type Answered, accepting, ask, auditing, enforcing, headline, TestNode } from "../support/binary.ts";
import { type Descriptor, INDEX_TYPE } from "../support/stand-in-registry.ts";

const REPOSITORY = "alice/app";
const CREATED = "org.opencontainers.image.created";
const SEAL_KEY = "atcr-verify.seal.key";
let world: TestNode;
let didKey: string;
let otherKey: string;
let made = 0;

beforeAll(async () => {
  world = await TestNode.start();
  for (const name of ["seal.key", "other.key"]) await run("bundle", "keygen", "-o", at(name));
  didKey = readFileSync(at("seal.key.pub"), "utf8").trim();
  otherKey = readFileSync(at("other.key.pub"), "utf8").trim();
  world.policy(accepting(world.signer.did));
});
afterAll(() => world.stop());
afterEach(() => {
  for (const server of [world.plc, world.pds, world.registry]) server.reset();
  Object.assign(world.registry, { referrersApi: "on", access: "anonymous", deletes: true, conditions: false });
});

const at = (name: string) => join(world.folder, name);
const nameOf = ({ digest }: Descriptor) => `${world.name}@${digest}`;
const run = (...args: readonly string[]): Promise<Answered> => ask(args, { env: world.env });
const attach = (image: Descriptor, ...more: readonly string[]) =>
  run("attach", nameOf(image), "--seal", at("seal.key"), ...more);
const evidenceOf = ({ digest }: Descriptor) =>
  world.registry.referrers(REPOSITORY, digest).filter(({ artifactType }) => artifactType === EVIDENCE_TYPE);

/** A node that lists the public key, and whose services do not answer. */
function silentNode(changes: object = {}): Readonly<Record<string, string>> {
  for (const server of [world.plc, world.pds]) server.override("", { status: 503 });
  world.registry.forget();
  const bundleKeys = [at("seal.key.pub")];
  const config = world.configure({ ...world.settings, bundleKeys, ...changes }, `silent-${++made}.yaml`);
  return { ...world.env, ATCR_VERIFY_CONFIG: config };
}

const pull = (image: Descriptor, env: Readonly<Record<string, string>>) => world.pull(world.name, image, { env });

/** A bundle of an image, sealed by a key of {@link world}. */
async function sealed(image: Descriptor, key: string | undefined, changes: object = {}): Promise<Uint8Array> {
  await run("bundle", "create", nameOf(image), "-o", at("made.bundle"));
  const { bundle } = readBundle(readFileSync(at("made.bundle")));
  const secret = key === undefined ? undefined : parseSealKey(readFileSync(at(key), "utf8"));
  return writeBundle({ ...bundle, ...changes }, secret);
}

/** Attaches it as anybody may. */
function attachBytes(image: Descriptor, payload: Uint8Array, key: string | undefined = didKey, more = {}): Descriptor {
  const annotations = { ...(key && { [SEAL_KEY]: key }), ...more };
  const options = { artifactType: EVIDENCE_TYPE, payloadType: EVIDENCE_MEDIA_TYPE, payload, annotations };
  return world.registry.attach(REPOSITORY, image, options);
}

describe("attach", () => {
  it("stores the sealed evidence as a referrer of the image, with a manifest as the image spec has it", async () => {
    const image = await world.image("attached");
    const answered = await attach(image);
    expect([answered.code, answered.stderr]).toEqual([0, ""]);
    const [descriptor, ...others] = evidenceOf(image);
    expect(others).toEqual([]);
    expect(answered.stdout).toContain(`signed ${nameOf(image)}\n`);
    expect(answered.stdout).toContain(
      `attached to ${image.digest} at ${world.registry.authority}: ${descriptor?.digest}, `,
    );
    expect(answered.stdout).toContain(`, sealed by ${didKey}\nlisted by the registry\n`);
    const put = world.registry.requests.find(({ method, url }) => method === "PUT" && url.includes("/manifests/"));
    const manifest = JSON.parse(Buffer.from(put?.body ?? []).toString());
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: EVIDENCE_TYPE,
      config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2 },
      layers: [{ mediaType: EVIDENCE_MEDIA_TYPE }],
      subject: { mediaType: image.mediaType, digest: image.digest, size: image.size },
      annotations: { [SEAL_KEY]: didKey },
    });
    expect(put?.headers["content-type"]).toBe("application/vnd.oci.image.manifest.v1+json");
    const blob = world.registry.requests.find(({ method, body }) => method === "PUT" && body.length > 1000);
    const { bundle, seal } = readBundle(blob?.body ?? new Uint8Array());
    expect(seal && checkSeal(seal, [didKey])).toBe(didKey);
    expect(bundle.images.map(({ digest }) => digest)).toEqual([image.digest]);
  });

  it("stores nothing and fails where a rule audits and there is no answer in time", async () => {
    const image = await world.image("too late");
    world.policy(auditing(world.signer.did));
    world.pds.override("", () => new Promise(() => {}));
    world.registry.forget();
    const config = world.configure({ ...world.settings, deadline: "1s" }, "hasty.yaml");
    const answered = await attach(image, "--config", config);
    world.policy(accepting(world.signer.did));
    expect([answered.code, answered.stdout]).toEqual([2, expect.stringContaining("nothing is attached")]);
    expect(world.registry.requests.filter(({ method }) => !["GET", "HEAD"].includes(method))).toEqual([]);
  });

  it("asks for a token that may push, and nothing else does", async () => {
    const image = await world.image("scopes");
    world.registry.access = "token";
    world.registry.forget();
    expect((await attach(image)).code).toBe(0);
    const scopes = () => world.registry.requests.flatMap(({ query }) => query.get("scope") ?? []);
    expect(new Set(scopes())).toEqual(new Set([`repository:${REPOSITORY}:pull,push`]));
    const env = silentNode();
    expect(headline(await pull(image, env))).toBe("0 allow signed");
    expect(new Set(scopes())).toEqual(new Set([`repository:${REPOSITORY}:pull`]));
  });

  it("takes the credentials of a pull, and says what was tried where they do not suffice", async () => {
    const image = await world.image("credentials");
    world.registry.access = "token";
    const auth = Buffer.from("alice:secret").toString("base64");
    const file = world.write("auth.json", JSON.stringify({ auths: { [world.registry.authority]: { auth } } }), 0o600);
    const settings = { ...world.settings, registryCredentials: { files: [file] } };
    const config = ["--config", world.configure(settings, "credentials.yaml")];
    world.registry.forget();
    expect((await attach(image, ...config)).code).toBe(0);
    const pushing = world.registry.requests.filter(({ query }) => query.get("scope")?.endsWith(":pull,push"));
    expect(pushing.map(({ headers }) => headers.authorization)).toEqual([`Basic ${auth}`]);
    world.registry.override(({ method }) => method === "POST", { status: 403 });
    const refused = await attach(await world.image("refused"), ...config);
    expect([refused.code, refused.stdout]).toEqual([2, expect.stringContaining("registry.unauthorized")]);
    expect(refused.stdout).toContain("with the password from");
    expect(refused.stdout).not.toContain("secret");
  });

  it("replaces its own older one, and keeps those of others", async () => {
    const image = await world.image("replaced");
    await attach(image);
    const [own] = evidenceOf(image);
    await run("attach", nameOf(image), "--seal", at("other.key"));
    const [, other] = evidenceOf(image);
    await new Promise((done) => setTimeout(done, 1100)); // the times have whole seconds
    const again = await attach(image);
    expect(again.stdout).toContain(`replaced: ${own?.digest}\n`);
    const left = evidenceOf(image).map(({ digest }) => digest);
    expect(left).toContain(other?.digest);
    expect(left).not.toContain(own?.digest);
    expect(left).toHaveLength(2);
    world.registry.deletes = false;
    await new Promise((done) => setTimeout(done, 1100));
    const kept = await attach(image);
    expect(kept.code).toBe(0);
    expect(kept.stdout).toContain("not removed by the registry: ");
  });

  it("removes nothing that only a list calls an older one", async () => {
    const [image, victim] = [await world.image("listed"), await world.image("victim")];
    const entry = { ...victim, artifactType: EVIDENCE_TYPE, annotations: { [SEAL_KEY]: didKey } };
    const list = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [entry] };
    world.registry.override(/\/referrers\//, { json: list, headers: { "content-type": INDEX_TYPE } });
    const answered = await attach(image);
    expect(answered.stdout).toContain(`not removed by the registry: ${victim.digest}, `);
    expect(world.registry.manifestAt(REPOSITORY, victim.digest)).toMatchObject({ schemaVersion: 2 });
  });

  it.each([false, true])(
    "writes the fallback tag where there is no Referrers API (conditions: %s)",
    async (conditions) => {
      Object.assign(world.registry, { referrersApi: 404, conditions });
      const image = await world.image(`tagged ${conditions}`);
      const tag = image.digest.replace(":", "-");
      const note = { artifactType: "application/vnd.example.note", fallbackTag: true, annotations: { by: "others" } };
      const others = world.registry.attach(REPOSITORY, image, note);
      const index = () => world.registry.manifestAt(REPOSITORY, tag) as { mediaType: string; manifests: Descriptor[] };
      const first = await attach(image);
      expect([first.code, first.stdout]).toEqual([0, expect.stringContaining(`listed at the tag ${tag}, `)]);
      const { mediaType, manifests } = index();
      expect(mediaType).toBe(INDEX_TYPE);
      expect(manifests).toEqual([others, expect.objectContaining({ artifactType: EVIDENCE_TYPE })]);
      await new Promise((done) => setTimeout(done, 1100));
      const second = await attach(image);
      expect(second.stdout).toContain(`replaced: ${manifests[1]?.digest}\n`);
      const after = index().manifests;
      expect(after).toHaveLength(2);
      expect(after[0]).toEqual(others);
      const env = silentNode();
      expect(headline(await pull(image, env))).toBe("0 allow signed");
    },
  );

  it.each([false, true])("loses no entry that others write at the same time (conditions: %s)", async (conditions) => {
    Object.assign(world.registry, { referrersApi: 404, conditions });
    const image = await world.image(`race ${conditions}`);
    const tag = image.digest.replace(":", "-");
    const note = { artifactType: "application/vnd.example.note", annotations: { by: "others" } };
    const others = world.registry.attach(REPOSITORY, image, note);
    // Somebody who read the tag before writes it: right before or right after this program does.
    let isDone = false;
    world.registry.override(
      ({ method, url }) =>
        method === (conditions ? "PUT" : "GET") && url.includes(tag) && !isDone && wasPut(conditions),
      () => {
        isDone = true;
        world.registry.pushIndex(REPOSITORY, [others], tag);
        return conditions ? { status: 412 } : { json: world.registry.manifestAt(REPOSITORY, tag) };
      },
    );
    const wasPut = (before: boolean) =>
      before || world.registry.requests.some(({ method, url }) => method === "PUT" && url.includes(tag));
    world.registry.forget();
    const answered = await attach(image);
    expect(isDone).toBe(true);
    expect([answered.code, answered.stdout]).toEqual([0, expect.stringContaining("so it was written 2 times\n")]);
    const { manifests } = world.registry.manifestAt(REPOSITORY, tag);
    expect(manifests).toEqual([others, expect.objectContaining({ artifactType: EVIDENCE_TYPE })]);
  });

  it("does not overwrite what is no index, and says so", async () => {
    world.registry.referrersApi = 404;
    const image = await world.image("no index");
    world.registry.pushManifest(REPOSITORY, { schemaVersion: 2, layers: [] }, image.digest.replace(":", "-"));
    const answered = await attach(image);
    expect([answered.code, answered.stdout]).toEqual([2, expect.stringContaining("registry.bad_response")]);
  });

  it("is refused on ATCR before anything is asked, unless --force says so", async () => {
    const image = await world.image("on ATCR");
    const settings = { ...world.settings, atcrHosts: [world.registry.authority] };
    const config = ["--config", world.configure(settings, "atcr.yaml")];
    world.registry.forget();
    const refused = await attach(image, ...config);
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining("misconfigured input.malformed: ")]);
    expect(refused.stdout).toContain("writes a record into the ATProto repo of the account that pushes");
    expect(world.registry.requests).toEqual([]);
    const repository = "alice.example.com/app";
    const owned = world.registry.pushImage(repository, "on ATCR, forced");
    await world.signer.sign(owned.digest, "app", Date.now() - 1000);
    const trustPolicyPath = world.policy(
      accepting(world.signer.did).replace("30d", "30d, owner: any"),
      "atcr-policy.yaml",
    );
    const forcing = world.configure({ ...settings, trustPolicyPath }, "atcr-forced.yaml");
    const name = `${world.registry.authority}/${repository}@${owned.digest}`;
    const args = ["attach", name, "--seal", at("seal.key"), "--config", forcing];
    expect((await run(...args)).code).toBe(3);
    expect(world.registry.referrers(repository, owned.digest)).toEqual([]);
    const forced = await run(...args, "--force");
    expect([forced.code, forced.stdout]).toEqual([0, expect.stringContaining("attached to")]);
    expect(world.registry.referrers(repository, owned.digest)).toHaveLength(1);
  });

  it("attaches a proven no with status 1, and nothing that could not be verified", async () => {
    const unsigned = await world.image("unsigned", { signed: false });
    expect([(await attach(unsigned)).code, evidenceOf(unsigned)]).toEqual([1, [expect.anything()]]);
    const image = await world.image("unverified");
    const config = world.configure({ ...world.settings, plcDirectories: ["https://127.0.0.1:1"] }, "no-plc.yaml");
    const answered = await attach(image, "--config", config);
    expect([answered.code, evidenceOf(image)]).toEqual([2, []]);
    expect(answered.stdout).toContain("nothing is attached\n");
  });

  it("sends content and credentials to no other host", async () => {
    const image = await world.image("elsewhere");
    const elsewhere = `https://localhost:${world.pds.port}/v2/stolen`;
    world.pds.forget();
    world.registry.override(({ method }) => method === "POST", { status: 202, headers: { location: elsewhere } });
    const moved = await attach(image);
    expect([moved.code, moved.stdout]).toEqual([2, expect.stringContaining("wants an upload at another host")]);
    world.registry.reset();
    world.registry.override(({ method }) => method === "PUT", { status: 307, headers: { location: elsewhere } });
    expect((await attach(await world.image("redirected"))).code).toBe(2);
    expect(world.pds.requests.filter(({ url }) => url.includes("stolen"))).toEqual([]);
  });
});

describe("a pull while services are silent", () => {
  it("uses what is attached under offlineFor and bundleKeys alone", async () => {
    const image = await world.image("pulled");
    await attach(image);
    const env = silentNode();
    const allowed = await pull(image, env);
    expect(headline(allowed)).toBe("0 allow signed");
    expect(allowed.stdout).toContain("by evidence from a bundle sealed at ");
    expect(headline(await pull(image, silentNode({ bundleKeys: [] })))).toBe("2 inconclusive identity.unreachable");
    const other = await pull(image, silentNode({ bundleKeys: [at("other.key.pub")] }));
    expect(headline(other)).toBe("2 inconclusive identity.unreachable");
    expect(other.stdout).toContain("1 attached by keys that bundleKeys does not list, or dated in the future");
    const trustPolicyPath = world.policy(enforcing(world.signer.did), "online.yaml");
    expect(headline(await pull(image, silentNode({ trustPolicyPath })))).toBe("2 inconclusive identity.unreachable");
  });

  it("asks for attachments only after the services were silent, and nobody under offline: true", async () => {
    const image = await world.image("asked");
    await attach(image);
    const asksFor = () => world.registry.requests.filter(({ url }) => url.includes(encodeURIComponent(EVIDENCE_TYPE)));
    const env = silentNode();
    world.plc.reset();
    world.pds.reset();
    expect(headline(await pull(image, env))).toBe("0 allow signed");
    expect(asksFor()).toEqual([]);
    expect(headline(await pull(image, silentNode({ bundleKeys: [] })))).toBe("2 inconclusive identity.unreachable");
    expect(asksFor()).toEqual([]);
    expect(headline(await pull(image, silentNode({ offline: true })))).toBe("2 inconclusive identity.unreachable");
    expect(world.registry.requests).toEqual([]);
    expect(headline(await pull(image, silentNode()))).toBe("0 allow signed");
    expect(asksFor()).toHaveLength(1);
  });

  it("is used by verify too, without any memory of this node", async () => {
    const image = await world.image("verified");
    await attach(image);
    const env = silentNode();
    const verified = await ask(["verify", nameOf(image), "--stateless"], { env });
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("a bundle sealed at")]);
  });

  it("leaves time to read it where a service hangs", async () => {
    const image = await world.image("hanging");
    await attach(image);
    const env = silentNode({ deadline: "5s" });
    world.registry.delay(400, encodeURIComponent(EVIDENCE_TYPE));
    world.plc.reset();
    world.plc.override("", () => new Promise(() => {}));
    expect(headline(await pull(image, env))).toBe("0 allow signed");
  });

  it("never overrides a no", async () => {
    const image = await world.image("taken back");
    await attach(image);
    await world.signer.repo.delete("io.atcr.manifest", image.digest.slice(7), Date.now());
    const env = silentNode();
    world.plc.reset();
    world.pds.reset();
    expect(headline(await pull(image, env))).toBe("1 deny signature.none");
    for (const server of [world.plc, world.pds]) server.override("", { status: 503 });
    // The no is remembered.
    const after = await pull(image, env);
    expect(headline(after)).toMatch(/^2 inconclusive /);
    expect(after.stdout).toContain("commit.rolled_back");
  });

  it("counts only for signers who were silent: an answer that cannot be used is none", async () => {
    const image = await world.image("answered");
    await attach(image);
    const env = silentNode();
    expect(headline(await pull(image, env))).toBe("0 allow signed");
    for (const server of [world.plc, world.pds]) server.reset();
    world.pds.override("", { body: "no CAR" });
    expect(headline(await pull(image, env))).toMatch(/^2 inconclusive |^1 deny /);
  });

  it("brings nothing back that an attachment proved to be deleted, and no earlier time", async () => {
    const image = await world.image("deleted meanwhile");
    const before = await sealed(image, "seal.key");
    await world.signer.repo.delete("io.atcr.manifest", image.digest.slice(7), Date.now());
    expect((await attach(image)).code).toBe(1);
    const digest = evidenceOf(image)[0]?.digest ?? "";
    const env = silentNode();
    const refused = await pull(image, env);
    expect(headline(refused)).toMatch(/^2 inconclusive /);
    expect(refused.stdout).toContain("attached evidence does not count: signature.none: ");
    world.registry.remove(REPOSITORY, digest);
    attachBytes(image, before);
    const again = await pull(image, env);
    expect(headline(again)).toMatch(/^2 inconclusive /);
    expect(again.stdout).toContain("commit.rolled_back");
    // A node that has not seen the deletion cannot know of it.
    expect(headline(await pull(image, silentNode()))).toBe("0 allow signed");
    expect(readdirSync(`${env["ATCR_VERIFY_CONFIG"]}.state/times`)).toHaveLength(1);
  });

  it("does not count unsealed evidence, another key's seal, another digest's evidence or what is from the future", async () => {
    const image = await world.image("hostile");
    const foreign = await sealed(await world.image("foreign"), "seal.key");
    const gatheredAt = (Math.floor(Date.now() / 1000) + 3600) * 1000;
    const own = await sealed(image, "seal.key");
    const flipped = Buffer.from(own);
    flipped.write("X", flipped.indexOf('"bytes":"') + 40);
    for (const [payload, said] of [
      [await sealed(image, undefined), "it is not sealed"],
      [await sealed(image, "other.key"), `it is sealed by ${otherKey}, which bundleKeys does not list`],
      [foreign, `it has no evidence about ${image.digest}`],
      [await sealed(image, "seal.key", { gatheredAt }), "bundle.not_accepted: the bundle is dated"],
      [flipped, "bundle.bad_seal"],
      [Buffer.alloc(5 * 1024 * 1024), "more than the limit of 4194304 bytes"],
    ] as const) {
      const fresh = world.registry.pushImage(REPOSITORY, "hostile");
      expect(fresh.digest).toBe(image.digest);
      const { digest } = attachBytes(image, payload);
      const answered = await pull(image, silentNode());
      expect([said, headline(answered)]).toEqual([said, "2 inconclusive identity.unreachable"]);
      expect(answered.stdout).toContain(said);
      for (const server of [world.plc, world.pds]) server.reset();
      world.registry.remove(REPOSITORY, digest);
    }
    attachBytes(image, own);
    expect(headline(await pull(image, silentNode()))).toBe("0 allow signed");
  });

  it("does not count content that differs from its digest", async () => {
    const image = await world.image("flipped");
    await attach(image);
    const env = silentNode();
    world.registry.override("/blobs/", { body: await sealed(image, "seal.key", { gatheredAt: 0 }) });
    const answered = await pull(image, env);
    expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
    expect(answered.stdout).toContain("does not hash to its digest");
  });

  it("reads 4 of 1,000, those that name a key of this node and are newest first", async () => {
    const image = await world.image("crowd");
    for (let i = 0; i < 500; i++) {
      attachBytes(image, Buffer.from(`junk ${i}`), otherKey);
      attachBytes(image, Buffer.from(`junk ${i}`), "", { n: String(i) });
    }
    attachBytes(image, Buffer.from("late"), didKey, { [CREATED]: "2999-01-01T00:00:00Z" });
    await attach(image);
    const env = silentNode();
    const fetched = () => world.registry.requests.filter(({ url }) => /\/(manifests|blobs)\//.test(url));
    expect(headline(await pull(image, env))).toBe("0 allow signed");
    expect(fetched()).toHaveLength(8);
  });
});
