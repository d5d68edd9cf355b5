import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { enforcing, headline } from "../support/binary.ts";
import { HANDLE, HANDLE_PATH, HANDLE_TXT, NamedWorld } from "../support/named-world.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const PATH = `${HANDLE}/app`;
const canServeNames = requirement(
  "whose the handle in an image's name is",
  missingRoot("binds ports 53 and 443, mounts resolv.conf"),
);

describe.runIf(canServeNames)("the handle in atcr.io/HANDLE/REPOSITORY", () => {
  let named: NamedWorld;
  let image: Descriptor;
  let did: string;

  beforeAll(async () => {
    named = await NamedWorld.start(57);
    image = await named.image(PATH);
    did = named.world.signer.did;
  });
  beforeEach(() => named.reset());
  afterAll(() => named.stop());

  const asked = () => named.names.asked.filter((question) => question.includes("_atproto"));

  it("is the signer's by DNS", async () => {
    named.names.answers.set(HANDLE_TXT, [`did=${did}`]);
    expect(headline(await named.pull(PATH, image))).toBe("0 allow signed");
    expect(asked()).toEqual([HANDLE_TXT]);
  });

  it("is the signer's by its https host", async () => {
    named.host.override(HANDLE_PATH, { body: did });
    expect(headline(await named.pull(PATH, image))).toBe("0 allow signed");
  });

  it("is nobody's: a no, unless the rule takes any owner, which asks nobody", async () => {
    const refused = await named.pull(PATH, image);
    expect(headline(refused)).toBe("1 deny image.owner_mismatch");
    expect(refused.stdout).toContain(`the handle ${HANDLE} resolves to no DID`);
    expect(headline(await named.pull(PATH, image, "owner: match"))).toBe("1 deny image.owner_mismatch");
    named.names.asked.length = 0;
    named.host.forget();
    expect(headline(await named.pull(PATH, image, "owner: any"))).toBe("0 allow signed");
    expect([asked(), named.host.requests]).toEqual([[], []]);
  });

  it("leads to the signer, of 17 whom the rule trusts and of whom the registry names none", async () => {
    const others = Array.from({ length: 16 }, (_, i) => `did:plc:${"abcdefghijklmnop"[i]}${"q".repeat(23)}`);
    const pull = async (...dids: readonly string[]) => {
      named.world.policy(enforcing(...dids));
      return headline(await named.world.pull(`atcr.io/${PATH}:v1`, image, { through: named.through }));
    };
    named.names.answers.set(HANDLE_TXT, [`did=${did}`]);
    const { plc, pds } = named.world;
    plc.forget();
    expect(await pull(...others, did)).toBe("0 allow signed");
    expect([plc.count(), plc.count(did)]).toEqual([1, 1]);
    pds.forget();
    plc.forget();
    // Who is not trusted is not contacted, whatever the handle says.
    expect(await pull(...others, `did:plc:${"z".repeat(24)}`)).toBe("1 deny signature.none");
    expect([plc.requests, pds.requests]).toEqual([[], []]);
  });

  it("is somebody else's", async () => {
    const other = `did:plc:${"a".repeat(24)}`;
    named.names.answers.set(HANDLE_TXT, [`did=${other}`]);
    named.host.override(HANDLE_PATH, { body: did });
    const refused = await named.pull(PATH, image);
    expect(headline(refused)).toBe("1 deny image.owner_mismatch");
    expect(refused.stdout).toContain(`resolves to ${other}, not to ${did} (dns:_atproto.${HANDLE})`);
  });

  it("leads to the signer, who does not claim it", async () => {
    const path = "mallory.example.com/app";
    const theirs = await named.image(path);
    named.names.answers.set("TXT _atproto.mallory.example.com", [`did=${did}`]);
    const refused = await named.pull(path, theirs);
    expect(headline(refused)).toBe("1 deny image.owner_mismatch");
    expect(refused.stdout).toContain(`${did} claims ${HANDLE}, but the image's name has mallory.example.com`);
  });

  it("is none", async () => {
    const path = "alice/app";
    expect(headline(await named.pull(path, await named.image(path)))).toBe("1 deny image.owner_mismatch");
    expect(asked()).toEqual([]);
  });

  it("is nobody's where DNS names nobody and no URL can name its host, by Bun's parser", async () => {
    const path = "xn--a.example.com/app";
    const theirs = await named.image(path);
    expect(headline(await named.pull(path, theirs))).toBe("1 deny image.owner_mismatch");
    expect(asked()).toContain("TXT _atproto.xn--a.example.com");
  });

  it("is nobody's where DNS names what is no DID, whatever its https host says", async () => {
    named.names.answers.set(HANDLE_TXT, ["did=alice"]);
    named.host.override(HANDLE_PATH, { body: did });
    expect(headline(await named.pull(PATH, image))).toBe("1 deny image.owner_mismatch");
  });

  it.each(["server failure", "refused"] as const)("cannot be looked up: %s is no no", async (answer) => {
    named.names.answers.set(HANDLE_TXT, answer);
    const refused = await named.pull(PATH, image);
    // The host was heard, and does not name anybody: that is no silence.
    expect(headline(refused)).toBe("2 inconclusive handle.bad_response");
    named.host.override(HANDLE_PATH, { status: 503 });
    expect(headline(await named.pull(PATH, image))).toBe("2 inconclusive handle.unreachable");
    expect(refused.stdout).toContain(`the TXT lookup of _atproto.${HANDLE} failed`);
  });

  it("is not looked up in time where its name server is silent, and the answer comes all the same", async () => {
    named.names.answers.set(HANDLE_TXT, "silent");
    named.host.override(HANDLE_PATH, { status: 503 });
    const settings = { ...named.world.settings, deadline: "1500ms" };
    const env = { ...named.world.env, ATCR_VERIFY_CONFIG: named.world.configure(settings, "short.yaml") };
    expect(headline(await named.pull(PATH, image, "", { env }))).toBe("2 inconclusive net.deadline");
  });
});
