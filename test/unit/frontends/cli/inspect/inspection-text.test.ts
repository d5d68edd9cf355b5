import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inspectionKeys } from "../../../../../src/frontends/cli/inspect/inspection-json.ts";
import { inspectionLines } from "../../../../../src/frontends/cli/inspect/inspection-text.ts";
import { LabelledRows } from "../../../../../src/frontends/cli/inspect/labelled-rows.ts";
import { jsonText } from "../../../../../src/frontends/process/report.ts";
import {
  type Inspection,
  type InspectRequest,
  inspectImage,
} from "../../../../../src/verifier/inspect/inspect-image.ts";
import { DIGEST, digestOf, NOW, recordOf, signer, TAG } from "../../../../support/evidence.ts";
import { signingKey } from "../../../../support/signing-key.ts";
import { World } from "../../../../support/world.ts";

const DAY = 86_400_000;
const HANDLE = "alice.example.com";
const PATH = `${HANDLE}/app`;
const NAME = { host: "registry.example", path: PATH };
const CONFIG = { atcrHosts: ["registry.example"] };
const OTHER = digestOf("another image");

const alice = await signer({ name: "alice", tag: {}, state: { handle: HANDLE } });
const rotated = await signer({ name: "rotated", others: 60 });
await rotated.log.update({ signingKey: signingKey("p256", "new") }, { at: NOW - 5 * DAY });
await rotated.repo.resign(NOW - 4 * DAY, signingKey("p256", "new"));
const absent = await signer({ name: "absent", record: null });
const web = await signer({ name: "web", method: "web" });
const evil = await signer({
  name: "evil",
  state: { handle: "evil\u001b[31m.example" },
  record: recordOf(DIGEST, {
    repository: "\u001b[2J::error::\u202eevil",
    "\u0007x": { a: [1, { b: ["c"] }] },
    note: "n".repeat(500),
  }),
});

let world: World;
beforeEach(async () => {
  world = await World.start(alice, rotated, absent, web, evil);
  world.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const inspect = (changes: Partial<InspectRequest> = {}): Promise<Inspection> =>
  inspectImage({ name: { ...NAME, tag: TAG, digest: DIGEST }, given: [], ...changes }, world.context(CONFIG));
const attach = (did: string) =>
  world.registry.attach(
    PATH,
    { mediaType: "x", digest: DIGEST, size: 1 },
    { annotations: { "io.atcr.atproto.did": did } },
  );
const at80 = (found: Inspection) => `${inspectionLines(found, 80).join("\n")}\n`;
const golden = (name: string) => `./golden/${name}`;

describe("an inspection at 80 columns", () => {
  it("shows first who signed it: the owner of the handle", async () => {
    const text = at80(await inspect());
    await expect(text).toMatchFileSnapshot(golden("owner.txt"));
    expect(text.split("\n").slice(0, 7).join("\n")).toContain(
      `signed by    @${HANDLE} (owner of the handle in the name)\n               ${alice.did}\n`,
    );
  });

  it("shows strangers, rotated keys, an absence and a did:web", async () => {
    for (const { did } of [rotated, absent, web]) attach(did);
    await expect(at80(await inspect())).toMatchFileSnapshot(golden("referrers.txt"));
  });

  it("says what the owner calls the tag where the registry wants a login", async () => {
    world.registry.override("", { status: 401, headers: { "www-authenticate": 'Basic realm="login"' } });
    const text = at80(await inspect({ name: { ...NAME, tag: TAG } }));
    await expect(text).toMatchFileSnapshot(golden("unauthorized.txt"));
    expect(text).toContain("registry not asked");
  });

  it("says what to do where nobody is known", async () => {
    world.txt.clear();
    const text = at80(await inspect());
    await expect(text).toMatchFileSnapshot(golden("nobody.txt"));
    expect(text).toContain("atcr-verify inspect IMAGE --signer DID");
  });

  it("shows a moved tag, and what was written to harm a terminal", async () => {
    attach(evil.did);
    const moved = await signer({ name: "moved", tag: { manifestDigest: OTHER, manifest: null } });
    world.add(moved);
    const found = await inspect({ given: [moved.did] });
    await expect(at80(found)).toMatchFileSnapshot(golden("hostile.txt"));
  });
});

describe("what others wrote", () => {
  it("is printable and bounded", async () => {
    attach(evil.did);
    for (const line of inspectionLines(await inspect(), Number.POSITIVE_INFINITY)) {
      expect(line).toMatch(/^[ -~]*$/);
      expect(line.length).toBeLessThanOrEqual(420);
    }
  });
});

describe("labelled rows", () => {
  it("bound each value, and give a word that does not fit a line of its own", () => {
    const [line = ""] = new LabelledRows(Number.POSITIVE_INFINITY).of("label", ["x".repeat(1000)]);
    expect(line).toBe(`  label        ${"x".repeat(397)}...`);
    const digest = `sha256:${"a".repeat(64)}`;
    expect(new LabelledRows(80).of("label", ["of", digest, "a b"])).toEqual([
      "  label        of",
      `    ${digest}`,
      "               a b",
    ]);
    expect(new LabelledRows(80).of("label", [digest], 4)).toEqual(["    label", `      ${digest}`]);
    expect(new LabelledRows(20).of("", ["aa bb cc"])).toEqual(["               aa bb", "               cc"]);
    expect(new LabelledRows(80).of("label", [])).toEqual([]);
  });
});

describe("an inspection", () => {
  it("cannot be taken for a verdict", async () => {
    attach(rotated.did);
    const found = await inspect();
    const json = jsonText(inspectionKeys(found));
    expect(JSON.parse(json)).toMatchObject({ judged: false });
    expect(json).not.toMatch(/"(?:verified|outcome|allowed|allow|signed)":/);
    expect(at80(found)).not.toMatch(/^(?:allow|deny)\b/m);
  });

  it("never suggests to trust somebody", async () => {
    for (const { did } of [rotated, absent, web, evil]) attach(did);
    const text = inspectionLines(await inspect(), Number.POSITIVE_INFINITY).join("\n");
    expect(text).not.toMatch(/trust|add (?:it|them|this)/i);
    expect(text).toContain("atcr-verify policy init");
    for (const { did } of [rotated, evil]) expect(text).not.toContain(`--signer ${did}`);
  });

  it("is written as JSON", async () => {
    attach(absent.did);
    const json = jsonText(inspectionKeys(await inspect()));
    await expect(json).toMatchFileSnapshot(golden("owner.json"));
  });
});
