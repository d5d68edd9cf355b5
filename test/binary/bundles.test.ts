import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import { parseSealKey } from "../../src/core/evidence/seal-key.ts";
import { type Answered, accepting, ask, BINARY, TestNode } from "../support/binary.ts";
import { Signer } from "../support/signer.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const SECOND = 1000;
let world: TestNode;
let signed: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  signed = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
});
afterAll(() => world.stop());

const at = (name: string) => join(world.folder, name);
const nameOf = ({ digest }: Descriptor) => `${world.name}@${digest}`;
const run = (...args: readonly string[]): Promise<Answered> => ask(args, { env: world.env });
const bundleAt = (name: string) => readBundle(readFileSync(at(name)));

/** A node of its own: what is imported there, no other test sees. */
function nodeNamed(name: string, changes: object = {}) {
  const config = world.configure({ ...world.settings, ...changes }, `${name}.yaml`);
  return { config: ["--config", config], place: `${config}.bundles` };
}

function piecesIn(place: string): readonly string[] {
  return readdirSync(place, { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes("/"))
    .filter((name) => name.endsWith(".json"))
    .toSorted();
}

describe("bundle create", () => {
  it("gathers images into one file, a proven no included, and the status says that there is one", async () => {
    const list = world.write("images.txt", `${nameOf(signed)}\n${nameOf(unsigned)}\n`);
    const answered = await run("bundle", "create", "-f", list, "-o", at("two.bundle"));
    expect([answered.code, answered.stderr]).toEqual([1, ""]);
    expect(answered.stdout).toContain(`signed ${nameOf(signed)}\n`);
    expect(answered.stdout).toContain(`not signed ${nameOf(unsigned)} signature.none: `);
    expect(answered.stdout).toMatch(
      /two\.bundle: gathered at \S+, not sealed, sha256 [0-9a-f]{64}: 2 images, 0 left out\n$/,
    );
    const { bundle, seal } = bundleAt("two.bundle");
    expect(seal).toBeUndefined();
    expect(bundle.images.map(({ digest }) => digest)).toEqual([signed.digest, unsigned.digest].toSorted());
    for (const { names, evidence } of bundle.images) {
      expect(names).toEqual([world.name]);
      expect(evidence.signatures.map(({ signer }) => signer)).toEqual([world.signer.did]);
    }
    expect(Math.abs(Date.now() - bundle.gatheredAt)).toBeLessThan(60 * SECOND);
  });

  it("makes one file by which verify judges many images offline, and no other", async () => {
    const second = await world.image("second");
    await run("bundle", "create", nameOf(signed), nameOf(second), "-o", at("many.bundle"));
    const trustPolicyPath = world.policy(accepting(world.signer.did), "accepting.yaml");
    const { config } = nodeNamed("many", { trustPolicyPath });
    const judged = (...images: readonly Descriptor[]) =>
      run("verify", ...images.map(nameOf), "--offline", "--bundle", at("many.bundle"), ...config);
    expect((await judged(signed, second)).code).toBe(0);
    expect((await judged(signed, unsigned)).code).toBe(3);
  });

  it("writes the same bytes each time, but for the time", async () => {
    const make = async (name: string) => {
      expect((await run("bundle", "create", nameOf(signed), "--out", at(name))).code).toBe(0);
      return readFileSync(at(name), "utf8").split("\n");
    };
    const [first, second] = [await make("a.bundle"), await make("b.bundle")];
    expect(first.toSpliced(1, 1)).toEqual(second.toSpliced(1, 1));
  });

  it("holds what every signer says, whoever answers first and suffices", async () => {
    const image = await world.image("by two");
    const bob = await Signer.create({ seed: "bob", pds: world.pds.origin, at: world.begun });
    world.plc.add(bob.log);
    world.pds.add(bob.repo);
    const policy = world.policy(accepting(world.signer.did, bob.did), "two.yaml");
    world.pds.delay(300, ({ query }) => query.get("did") === bob.did);
    const made = await run("bundle", "create", nameOf(image), "-o", at("both.bundle"), "--policy", policy);
    expect(made.code).toBe(0);
    const [one] = bundleAt("both.bundle").bundle.images;
    const signers = [world.signer.did, bob.did].toSorted();
    expect(one?.evidence.signatures.map(({ signer }) => signer).toSorted()).toEqual(signers);
    world.pds.reset();
  });

  it("leaves out what it cannot verify, with status 2, and writes the rest", async () => {
    const config = world.configure({ ...world.settings, plcDirectories: ["https://127.0.0.1:1"] }, "no-plc.yaml");
    const answered = await run("bundle", "create", nameOf(signed), "-o", at("none.bundle"), "--config", config);
    expect(answered.code).toBe(2);
    expect(answered.stdout).toContain(`left out ${nameOf(signed)} identity.unreachable: `);
    expect(bundleAt("none.bundle").bundle.images).toEqual([]);
  });

  it("resolves a tag, and keeps it with the name", async () => {
    const image = world.registry.pushImage("alice/app", "tagged", "v7");
    await world.signer.sign(image.digest, "app", world.begun + 60 * SECOND);
    const name = world.name.replace(/:v1$/, ":v7");
    const answered = await run("bundle", "create", name, "-o", at("tag.bundle"));
    expect([answered.code, answered.stdout]).toEqual([0, expect.stringContaining(`signed ${name} ${image.digest}\n`)]);
    expect(bundleAt("tag.bundle").bundle.images).toMatchObject([{ digest: image.digest, names: [name] }]);
  });

  it("wants an image, a file to write, and an image name", async () => {
    for (const args of [[], ["-o", at("x.bundle")], [nameOf(signed)], [nameOf(signed), "-o", world.folder]]) {
      expect((await run("bundle", "create", ...args)).code).toBe(3);
    }
    expect((await run("bundle", "create", "UPPER/case", "-o", at("x.bundle"))).code).toBe(3);
    expect((await run("bundle", "create", nameOf(signed), "-o", at("missing/x.bundle"))).code).toBe(3);
  });

  it("is export, for one image", async () => {
    const answered = await run("export", nameOf(signed), "-o", at("exported.bundle"));
    expect(answered.code).toBe(0);
    const [image] = bundleAt("exported.bundle").bundle.images;
    expect(image?.digest).toBe(signed.digest);
  });
});

describe("bundle keygen", () => {
  it("makes a key that seals, whose public half nodes list", async () => {
    const made = await run("bundle", "keygen", "-o", at("seal.key"));
    expect(made.code).toBe(0);
    expect(statSync(at("seal.key")).mode & 0o777).toBe(0o600);
    const didKey = readFileSync(at("seal.key.pub"), "utf8").trim();
    expect(made.stdout).toContain(didKey);
    expect(made.stdout).not.toContain(readFileSync(at("seal.key"), "utf8").trim());
    expect((await run("bundle", "keygen", "-o", at("seal.key"))).code).toBe(3);
    const sealed = await run("bundle", "create", nameOf(signed), "-o", at("sealed.bundle"), "--seal", at("seal.key"));
    expect(sealed.stdout).toContain(`sealed by ${didKey}, `);
    expect(bundleAt("sealed.bundle").seal?.key.didKey).toBe(didKey);
    expect((await run("bundle", "create", nameOf(signed), "-o", at("y"), "--seal", at("seal.key.pub"))).code).toBe(3);
  });
});

describe("bundle import", () => {
  it("splits a bundle into pieces that nobody else can change, and says what each is", async () => {
    await run("bundle", "create", nameOf(signed), nameOf(unsigned), "-o", at("import.bundle"));
    const { config, place } = nodeNamed("importing");
    const answered = await run("bundle", "import", at("import.bundle"), ...config);
    expect([answered.code, answered.stderr]).toEqual([0, ""]);
    expect(answered.stdout).toContain(`imported: signed ${world.name} ${signed.digest} by ${world.signer.did} rev `);
    expect(answered.stdout).toContain(
      `imported: not signed ${world.name} ${unsigned.digest} by ${world.signer.did} rev `,
    );
    expect(answered.stdout).toContain("imported into");
    expect(answered.stdout).toContain(": 1 signature, 1 proven absence, 0 already there, 0 not newer, 0 not proven\n");
    const pieces = piecesIn(place);
    expect(pieces.map((name) => name.split("/")[0])).toEqual(
      [`sha256-${signed.digest.slice(7)}`, `sha256-${unsigned.digest.slice(7)}`, "signers"].toSorted(),
    );
    for (const name of pieces) expect(statSync(join(place, name)).mode & 0o777).toBe(0o644);

    const again = await run("bundle", "import", at("import.bundle"), ...config);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain(": 0 signatures, 0 proven absences, 2 already there, 0 not newer, 0 not proven\n");
    const listed = await run("bundle", "list", ...config, "--output=json");
    expect(
      JSON.parse(listed.stdout)
        .images.map(({ proves }: { proves: string }) => proves)
        .toSorted(),
    ).toEqual(["no", "signature"]);
    expect(JSON.parse(listed.stdout).unusable).toEqual([]);
  });

  it("keeps what is newer, a no included, and the time of the first import", async () => {
    const image = await world.image("deleted later");
    await run("bundle", "create", nameOf(image), "-o", at("before.bundle"));
    await world.signer.repo.delete("io.atcr.manifest", image.digest.slice(7), Date.now());
    await run("bundle", "create", nameOf(image), "-o", at("after.bundle"));
    const { config, place } = nodeNamed("deleted");
    const piece = () =>
      readFileSync(join(place, piecesIn(place).find((name) => name.includes(image.digest.slice(7))) ?? ""), "utf8");
    expect((await run("bundle", "import", at("before.bundle"), ...config)).stdout).toContain("imported: signed");
    const first = piece();
    await run("bundle", "import", at("before.bundle"), ...config);
    expect(piece()).toBe(first);
    expect((await run("bundle", "import", at("after.bundle"), ...config)).stdout).toContain("imported: no");
    const older = await run("bundle", "import", at("before.bundle"), ...config);
    expect([older.code, older.stdout]).toEqual([
      0,
      expect.stringContaining("not newer than what is there, which stays: signed"),
    ]);
    const merged = await run("bundle", "merge", at("before.bundle"), at("after.bundle"), "-o", at("merged.bundle"));
    expect(merged.code).toBe(0);
    expect(merged.stdout).toMatch(
      /^from \S+before\.bundle: gathered at \S+, not sealed, [^\n]*\nfrom \S+after\.bundle: /,
    );
    const listed = await run("bundle", "list", at("merged.bundle"), ...config, "--output=json");
    expect(JSON.parse(listed.stdout).images).toMatchObject([
      { proves: "no", code: "record.absent", digest: image.digest },
    ]);
  });

  it("refuses another file, a changed one, a wrong seal and one from the future, and writes nothing", async () => {
    const { config, place } = nodeNamed("strict");
    await run("bundle", "keygen", "-o", at("strict.key"));
    await run("bundle", "create", nameOf(signed), "-o", at("strict.bundle"), "--seal", at("strict.key"));
    const bytes = readFileSync(at("strict.bundle"));
    const { bundle } = readBundle(bytes);
    const key = parseSealKey(readFileSync(at("strict.key"), "utf8"));
    const late = { ...bundle, gatheredAt: (Math.floor(Date.now() / SECOND) + 3600) * SECOND };
    world.write("future.bundle", writeBundle(late, key));
    world.write("moved.bundle", bytes.toString("utf8").replace(/"gatheredAt":"20/, '"gatheredAt":"19'));
    world.write("cut.bundle", bytes.subarray(0, -20));
    for (const [name, said, ...more] of [
      ["future.bundle", "bundle.malformed"],
      ["moved.bundle", "bundle.bad_seal"],
      ["cut.bundle", "bundle.malformed"],
      ["strict.bundle", "input.digest_mismatch", "--sha256", "0".repeat(64)],
      ["strict.bundle", "input.malformed", "--sha256", "x"],
      ["missing.bundle", "bundle.malformed"],
    ] as const) {
      const answered = await run("bundle", "import", at(name), ...config, ...more);
      expect([name, answered.code, answered.stdout]).toEqual([
        name,
        3,
        expect.stringContaining(`misconfigured ${said}`),
      ]);
    }
    const header = bytes.toString("utf8").split("\n")[0] ?? "";
    const other = { ...bundle, gatheredAt: bundle.gatheredAt + SECOND };
    const [, ...body] = new TextDecoder().decode(writeBundle(other)).split("\n");
    world.write("resealed.bundle", [header, ...body].join("\n"));
    const wrong = await run("bundle", "import", at("resealed.bundle"), ...config);
    expect([wrong.code, wrong.stdout]).toEqual([3, expect.stringContaining("bundle.bad_seal")]);
    expect(() => piecesIn(place)).toThrow("ENOENT");
  });

  it("does not import what proves nothing, and says so", async () => {
    const { bundle } = await exported("whole.bundle");
    const [image] = bundle.images;
    if (image === undefined) throw new Error("no image");
    const [signature] = image.evidence.signatures;
    const record = signature?.record;
    if (record === undefined) throw new Error("no record");
    const bytes = record.bytes.with(-9, (record.bytes.at(-9) ?? 0) ^ 1);
    const evidence = { ...image.evidence, signatures: [{ ...signature, record: { ...record, bytes } }] };
    world.write("spoilt.bundle", writeBundle({ ...bundle, images: [{ ...image, evidence }] } as typeof bundle));
    const { config } = nodeNamed("unproven");
    const answered = await run("bundle", "import", at("spoilt.bundle"), ...config);
    expect(answered.code).toBe(1);
    expect(answered.stdout).toContain(`not imported: unproven ${world.name} ${signed.digest}`);
    expect(answered.stdout).toContain("1 not proven\n");
  });

  async function exported(name: string) {
    await run("export", nameOf(signed), "-o", at(name));
    return bundleAt(name);
  }
});

describe("the commands of docs/reference/bundles.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/reference/bundles.md"), "utf8");
  const walk = /## From nothing to a pull behind an air gap\n([\s\S]*?)\n## /.exec(page)?.[1] ?? "";
  const blocks = [...walk.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
  const commands = blocks
    .filter(([, language]) => language === "")
    .flatMap(([, , text]) => (text ?? "").trim().split("\n"));
  const [config = "", policy = ""] = blocks
    .filter(([, language]) => language === "yaml")
    .map(([, , text]) => text ?? "");

  it("lead from nothing to a node that has imported, in the order in which they stand there", async () => {
    const folder = at("walk");
    world.write("walk/bin/atcr-verify", `#!/bin/sh\nexec ${BINARY} "$@"\n`, 0o755);
    world.write("walk/bin/sudo", '#!/bin/sh\nexec "$@"\n', 0o755);
    world.write("walk/images.txt", `${nameOf(signed)}\n`);
    const env = { ...world.env, PATH: `${folder}/bin:/usr/bin:/bin` };
    const node = { bundleKeys: [join(folder, "seal.key.pub")], offline: true };
    expect(config).toBe("bundleKeys: [/etc/atcr-verify/seal.key.pub]\noffline: true\n");
    const trustPolicyPath = world.policy(
      policy.replace(/did:plc:\w+/, world.signer.did).replace("registry.local/**", `${world.registry.authority}/**`),
      "walk-policy.yaml",
    );
    const inside = world.configure({ ...world.settings, ...node, trustPolicyPath }, "walk.yaml");
    const said: string[] = [];
    for (const line of commands) {
      const isInside = line.startsWith("sudo ") || line.includes("doctor");
      const answered = await ask([], {
        env: isInside ? { ...env, ATCR_VERIFY_CONFIG: inside } : env,
        cwd: folder,
        through: ["/bin/sh", "-c"],
        binary: line,
      });
      // This machine has no containerd, which the doctor finds.
      expect([line, answered.code]).toEqual([line, line.includes("doctor") ? 1 : 0]);
      said.push(answered.stdout);
    }
    expect(commands).toHaveLength(6);
    const [, created, listed, imported, has, doctor] = said;
    expect(created).toContain(`signed ${nameOf(signed)}\n`);
    expect(listed).toContain(`signed ${world.name} ${signed.digest} by ${world.signer.did} rev `);
    expect(imported).toContain("the seal is by a key of bundleKeys");
    expect(imported).toContain(": 1 signature, 0 proven absences, ");
    expect(has).toMatch(/ {2}sealed by did:key:z\w+\n {2}\S+: counts until \S+, by rule "production"\n$/);
    expect(doctor).toMatch(/^ok +bundle-ends: imported evidence counts until /m);
    const ends = JSON.parse(readFileSync(`${inside}.bundles/ends.json`, "utf8"));
    expect([ends.pieces, ends.nextEnd > Date.now()]).toEqual([1, true]);
  });
});
