import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, BINARY, headline, TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { withDaemon } from "../support/lookaside-daemon.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

// The responder as the unit runs it: as a user of its own, with root's configuration and policy.

const USER = 65534;

let node: TestNode;

beforeAll(async () => {
  node = await TestNode.start();
  chmodSync(node.folder, 0o755);
  // Nobody but root may be able to reach the one that was built.
  copyFileSync(BINARY, join(node.folder, "atcr-verify"));
});
afterAll(() => node.stop());

describe.runIf(requirement("the lookaside responder as an ordinary user", missingRoot("to run as another user")))(
  "an ordinary user",
  () => {
    it("reads root's settings, and makes the key, cache and state in the folder that systemd gave", async () => {
      const image = await node.image("signed");
      demand(node, { rule: { scope: `${node.registry.authority}/**` } });
      const folder = join(node.folder, "own");
      mkdirSync(folder, { mode: 0o755 });
      chownSync(folder, USER, USER);
      const options = {
        keyFile: join(folder, "node.key"),
        settings: { cacheEnabled: true },
        binary: join(node.folder, "atcr-verify"),
        through: ["/usr/bin/setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "--no-new-privs"],
      };
      await withDaemon(
        async (daemon) => {
          const name = `${node.registry.authority}/alice/app`;
          for (let i = 0; i < 2; i++) {
            const { status, phrase, body } = await daemon.ask(name, image.digest);
            expect([status, phrase]).toEqual([200, "OK"]);
            expect(daemon.signed(body)).toBeDefined();
          }
          expect(daemon.log.map(({ cache }) => cache)).toEqual(["none", "fresh"]);
          expect(daemon.stderr).not.toContain("warning");
        },
        node,
        options,
      );
      for (const own of ["node.key", "node.key.pub", "cache", "state"])
        expect(statSync(join(folder, own)).uid, own).toBe(USER);
    });

    it("makes the new key, not root, whose file the responder could not read", async () => {
      const folder = join(node.folder, "theirs");
      mkdirSync(folder, { mode: 0o755 });
      chownSync(folder, USER, USER);
      const config = node.configure({ lookaside: { keyFile: join(folder, "node.key") } }, "theirs.yaml");
      const refused = await ask(["lookaside", "--new-key", "--config", config], { env: node.env });
      expect(headline(refused)).toBe("3 misconfigured config.invalid");
      expect(refused.stdout).toContain("runuser -u ");
      expect(readdirSync(folder)).toEqual([]);
    });
  },
);
