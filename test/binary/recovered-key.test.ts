import { describe, expect, it } from "vitest";
import { headline } from "../support/binary.ts";
import { requestsOf, withCache } from "../support/caching-world.ts";
import { signingKey } from "../support/signing-key.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";

const [SIGNED, MINUTE] = ["0 allow signed", 60_000];
const OTHER = signingKey("k256", "other");

describe.concurrent("a key that is put in place again", () => {
  it("counts although the identity was cached with the key in between", async () => {
    await withCache(async (world, image) => {
      const { log, repo, key } = world.signer;
      const at = Date.now();
      await log.update({ signingKey: OTHER }, { at: at - 2 * MINUTE });
      await repo.resign(at - 2 * MINUTE, OTHER);
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      const second = await world.image("second");
      await log.update({ signingKey: key }, { at: at - MINUTE });
      await repo.resign(Date.now(), key);
      requestsOf(world);
      expect(headline(await world.pull(world.name, second))).toBe(SIGNED);
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 2 });
    });
  });

  it("counts although the first directory lags behind, which is no news on the second pull", async () => {
    await withCache(
      async (world, image) => {
        const lagging = await StandInPlc.start({ tls: world.authority.issue({ names: ["127.0.0.1"] }) });
        try {
          const { log, key, did } = world.signer;
          await log.update({ signingKey: OTHER }, { at: Date.now() - 2 * MINUTE });
          lagging.override(did, { json: log.entries() });
          await log.update({ signingKey: key }, { at: Date.now() - MINUTE });
          world.configure({ ...world.settings, plcDirectories: [lagging.origin, world.plc.origin] });
          expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
          expect([lagging.count(), ...Object.values(requestsOf(world)).slice(0, 2)]).toEqual([1, 1, 2]);
          expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
          expect([lagging.count(), ...Object.values(requestsOf(world)).slice(0, 2)]).toEqual([2, 1, 1]);
        } finally {
          await lagging.stop();
        }
      },
      { cacheEnabled: false },
    );
  });
});
