import type * as identityPackage from "@atproto/identity";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Handle } from "../../../../src/core/atproto/handle.ts";
import { asDid, didNamed } from "../../../support/evidence.ts";
import { World } from "../../../support/world.ts";

type Identity = typeof identityPackage;

const ALICE = didNamed("a");
const HANDLE = "alice.example.com" as Handle;
const WEB = asDid("did:web:alice.example");
const HANDLE_HOST = `https://${HANDLE}`;
const WEB_HOST = "https://alice.example";

/** The package has been loaded when this is resolved. */
let loaded: Promise<void>;
let load: () => void;
/** What is changed about it. */
let changed: (identity: Identity) => Partial<Identity>;

beforeEach(() => {
  vi.resetModules();
  changed = () => ({});
  loaded = new Promise((resolve) => {
    load = resolve;
  });
  vi.doMock("@atproto/identity", async (original) => {
    await loaded;
    const identity = await original<Identity>();
    return { ...identity, ...changed(identity) };
  });
});
afterEach(() => {
  vi.doUnmock("@atproto/identity");
});

async function answering(): Promise<World> {
  const world = await World.start();
  for (const origin of [HANDLE_HOST, WEB_HOST]) world.http.places.set(origin, world.pds);
  world.pds.override("/.well-known/atproto-did", { body: ALICE });
  world.pds.override("/.well-known/did.json", { json: { id: WEB } });
  return world;
}

const fetchOwner = async (world: World) => {
  const { fetchOwner: fetch } = await import("../../../../src/verifier/collect/resolve-handle.ts");
  return fetch(HANDLE, world.context());
};
const fetchDidWeb = async (world: World) => {
  const { fetchDidWeb: fetch } = await import("../../../../src/verifier/collect/did-web.ts");
  return fetch(WEB, world.context());
};

describe("what is asked while the reference resolvers are loaded", () => {
  it("is DNS and the host of a handle", async () => {
    await using world = await answering();
    const owner = fetchOwner(world);
    await vi.waitFor(() => expect([world.lookUps.length, world.http.origins]).toEqual([1, [HANDLE_HOST]]));
    load();
    expect(await owner).toMatchObject({ did: ALICE });
    expect([world.lookUps.length, world.http.asked.length]).toEqual([1, 1]);
  });

  it("is the host of a did:web", async () => {
    await using world = await answering();
    const document = fetchDidWeb(world);
    await vi.waitFor(() => expect(world.http.origins).toEqual([WEB_HOST]));
    load();
    expect(await document).toMatchObject({ url: `${WEB_HOST}/.well-known/did.json` });
    expect(world.http.asked.length).toBe(1);
  });
});

describe("reference resolvers that ask elsewhere than was asked", () => {
  const elsewhere = async (fetch: unknown): Promise<undefined> => {
    await (fetch as (url: string) => Promise<unknown>)("https://elsewhere.example/").catch(() => {});
    return undefined;
  };

  it("get no answer for a handle: that is a bug", async () => {
    changed = ({ HandleResolver }) => ({
      HandleResolver: class extends HandleResolver {
        constructor(options: ConstructorParameters<typeof HandleResolver>[0]) {
          super(options);
          this.resolveHttp = () => elsewhere(options?.fetch);
        }
      },
    });
    load();
    await using world = await answering();
    await expect(fetchOwner(world)).rejects.toThrow("asks https://elsewhere.example/");
    expect(world.http.origins).toEqual([HANDLE_HOST]);
  });

  it("get nothing taken for the document of a did:web: that is a bug", async () => {
    changed = ({ DidWebResolver }) => ({
      DidWebResolver: class extends DidWebResolver {
        constructor(...options: ConstructorParameters<typeof DidWebResolver>) {
          super(...options);
          this.resolveNoCheck = () => elsewhere(options[2]);
        }
      },
    });
    load();
    await using world = await answering();
    await expect(fetchDidWeb(world)).rejects.toThrow("asks https://elsewhere.example/");
    expect(world.http.origins).toEqual([WEB_HOST]);
  });
});
