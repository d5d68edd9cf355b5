import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parsePolicy } from "../../../src/core/policy/parse-policy.ts";
import { checkBundles } from "../../../src/doctor/bundle-checks.ts";
import { writePiece } from "../../../src/io/store/bundle-dir-writer.ts";
import { makeSealKey } from "../../../src/io/store/seal-key-files.ts";
import { DIGEST, NOW, signer } from "../../support/evidence.ts";

const DAY = 86_400_000;
const alice = await signer({ name: "alice" });
const signature = await alice.evidence();
const POLICY = parsePolicy(
  `version: 1
trustedDIDs: {"${alice.did}": {}}
policies: [{name: all, scope: "**", action: enforce, require: {signature: true, offlineFor: 10d}}]
`,
  "policy.yaml",
);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bundle-checks-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const place = () => join(folder, "bundles");
const imported = (isNo?: true) =>
  writePiece(place(), {
    digest: DIGEST,
    signer: alice.did,
    entries: [{ importedAt: NOW, names: ["registry.example/team/app"], signature, ...(isNo && { isNo }) }],
  });
const found = (now: number, bundleKeys: readonly string[] = [], policy: "none" | typeof POLICY = POLICY) =>
  checkBundles({ bundleDir: place(), bundleKeys }, policy === "none" ? undefined : policy, now).map(
    ({ level, name }) => `${level} ${name}`,
  );

describe("what the doctor says of imported bundles", () => {
  it("is that nothing was imported", () => {
    expect(found(NOW)).toEqual(["ok bundle-dir"]);
  });

  it("is when pieces end, a fifth of the window before, and no longer then", async () => {
    await imported();
    expect(found(NOW)).toEqual(["ok bundle-dir", "ok bundle-ends"]);
    expect(found(NOW + 8 * DAY - 1)).toEqual(["ok bundle-dir", "ok bundle-ends"]);
    expect(found(NOW + 8 * DAY)).toEqual(["ok bundle-dir", "warning bundle-ends"]);
    expect(found(NOW + 11 * DAY)).toEqual(["ok bundle-dir", "warning bundle-ends"]);
    const ended = checkBundles({ bundleDir: place(), bundleKeys: [] }, POLICY, NOW + 11 * DAY).at(-1);
    expect(ended).toMatchObject({
      found: expect.stringContaining(`registry.example/team/app@${DIGEST}`),
      advice: "import a newer bundle",
    });
    expect(found(NOW, [], "none")).toEqual(["ok bundle-dir"]);
  });

  it("is nothing of a no, which does not end", async () => {
    await imported(true);
    expect(found(NOW + 11 * DAY)).toEqual(["ok bundle-dir", "ok bundle-ends"]);
  });

  it("is a problem where others can change what was imported", async () => {
    await imported();
    chmodSync(place(), 0o777);
    expect(found(NOW)[0]).toBe("problem bundle-dir");
    rmSync(place(), { recursive: true });
    mkdirSync(place());
    expect(found(NOW)[0]).toBe("ok bundle-dir");
  });

  it("is a problem where a key cannot be used", () => {
    makeSealKey(join(folder, "key"));
    expect(found(NOW, [join(folder, "key.pub")])).toEqual(["ok bundle-keys", "ok bundle-dir"]);
    for (const name of ["key", "none"]) expect(found(NOW, [join(folder, name)])).toContain("problem bundle-keys");
  });
});
