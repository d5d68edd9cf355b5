import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import type { Registry } from "../support/docker-registry.ts";
import { startDockerRegistry } from "../support/docker-registry.ts";
import { attachReferrer, buildImage, buildIndex, buildReferrer, pushImage } from "../support/image.ts";
import { run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";

// What the tests push is read back by a client that others wrote.

const ARTIFACT_TYPE = "application/vnd.example.note.v1+json";
const REPOSITORY = "alice/app";

const testable = requirement("what the tests push into a registry", ...["docker-registry", "oras"].map(missingTool));

describe.runIf(testable)("docker-registry, with images and referrers of these tests", () => {
  let registry: Registry;

  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry?.stop());

  async function oras(command: readonly string[], reference: string): Promise<unknown> {
    const name = `${registry.host}/${REPOSITORY}${reference}`;
    const { code, stdout, stderr } = await run(debianTool("oras"), [...command, "--plain-http", name], {
      env: { HOME: "/nonexistent", PATH: "/usr/bin:/bin" },
    });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    return JSON.parse(stdout);
  }

  it("has no Referrers API", async () => {
    const image = buildImage("without referrers");
    await pushImage(registry.url, REPOSITORY, image, "plain");
    const { status } = await fetch(`${registry.url}/v2/${REPOSITORY}/referrers/${image.manifest.digest}`);
    expect(status).toBe(404);
  });

  it.each([
    ["an image", buildImage("noted")],
    ["an index", buildIndex("noted")],
  ])("serves every referrer of %s by the tag fallback", async (_, image) => {
    await pushImage(registry.url, REPOSITORY, image, "noted");
    const notes = ["first", "second"].map((note) =>
      buildReferrer({ artifactType: ARTIFACT_TYPE, subject: image, payload: { note }, annotations: { note } }),
    );
    for (const note of [...notes, ...notes]) {
      await attachReferrer(registry.url, REPOSITORY, note);
    }
    expect(await oras(["discover", "--format", "json"], `@${image.manifest.digest}`)).toMatchObject({
      digest: image.manifest.digest,
      referrers: [
        { artifactType: ARTIFACT_TYPE, digest: notes[0]?.manifest.digest, annotations: { note: "first" } },
        { artifactType: ARTIFACT_TYPE, digest: notes[1]?.manifest.digest, annotations: { note: "second" } },
      ],
    });
    expect(await oras(["blob", "fetch", "--output", "-"], `@${notes[0]?.blobs[1]?.digest}`)).toEqual({ note: "first" });
  });

  it("builds the same bytes from the same words", () => {
    expect(buildIndex("words").manifest).toEqual(buildIndex("words").manifest);
    expect(buildImage("words").manifest.digest).not.toBe(buildImage("other words").manifest.digest);
  });
});
