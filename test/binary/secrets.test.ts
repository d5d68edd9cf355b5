import { describe, expect, it } from "vitest";
import { headline } from "../support/binary.ts";
import type { Answer } from "../support/http-server.ts";
import { BASIC, challenge, guard, onSite, SECRET, SIGNED, type Site } from "../support/registry-site.ts";

const PAIR = BASIC.slice("Basic ".length);
/** Of hosts.toml. */
const KEY = "0123456789abcdef-of-the-mirror";
const moved = (location: string): Answer => ({ status: 307, headers: { location } });
const emptyList = { json: { schemaVersion: 2, manifests: [] } };

/** Whatever comes of the pull: it names none of what was sent. */
async function pull(site: Site): Promise<string> {
  const answered = await site.pull();
  const all = answered.stdout + answered.stderr;
  expect(headline(answered)).not.toBe(SIGNED);
  for (const secret of [PAIR, encodeURIComponent(PAIR), KEY]) expect(all).not.toContain(secret);
  return all;
}

describe.concurrent("what was sent is repeated to nobody who reads the reason, by", () => {
  it.each<[string, Answer]>([
    ["a redirect that comes back", moved(`/again?authorization=${encodeURIComponent(BASIC)}`)],
    ["a redirect to a path", moved(`https://127.0.0.1:1/${PAIR}`)],
    ["a redirect to a host", moved(`https://${SECRET}.example/`)],
    ["a redirect to a user and password", moved(`https://user:${SECRET}@127.0.0.1:1/`)],
    ["a redirect to plain http", moved(`http://${SECRET}.example/`)],
    ["a redirect to what is no URL", moved(`https://[${SECRET}`)],
    ["a status that is no redirect", { status: 304, headers: { location: `/${SECRET}` } }],
    ["a link to another host", { ...emptyList, headers: { link: `<https://${SECRET}.example/x>; rel="next"` } }],
    ["a link to a path", { ...emptyList, headers: { link: `<https://a.example/${PAIR}/${SECRET}>; rel="next"` } }],
    ["a link to what is no URL", { ...emptyList, headers: { link: `<https://[${SECRET}]>; rel="next"` } }],
    ["an encoding of the body", { ...emptyList, headers: { "content-encoding": SECRET } }],
    [
      "another challenge",
      { status: 403, headers: { "www-authenticate": `Bearer realm="https://${SECRET}.example/"` } },
    ],
  ])("%s", async (_, answer) => {
    await onSite(async (site) => {
      const { registry } = site.world;
      site.loginToRegistry();
      registry.override("/again", answer);
      registry.override(({ headers }) => headers.authorization === BASIC, answer);
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      expect(await pull(site)).not.toBe("");
      expect(registry.count(({ headers }) => headers.authorization === BASIC)).toBeGreaterThan(0);
    });
  });

  it("a redirect with a header of hosts.toml, and a token server that is named by it", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      site.hosts(`[header]\nX-Api-Key = "${KEY}"\n`);
      for (const answer of [
        moved(`/?${KEY}`),
        moved(`https://${KEY}.example/`),
        challenge(`https://${KEY}.example/t`),
      ]) {
        registry.override("/v2/", answer as Answer);
        await pull(site);
      }
      expect(registry.count(({ headers }) => headers["x-api-key"] === KEY)).toBeGreaterThan(0);
    });
  });

  it("a token server that leads elsewhere, or is named by the credential", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      site.loginToRegistry();
      registry.override("/token", moved(`https://${SECRET}.example/${PAIR}`));
      for (const realm of [`${registry.origin}/token`, `https://${SECRET}.example/token`]) {
        registry.override("/v2/", challenge(realm));
        await pull(site);
      }
      const identity = { auths: { [registry.authority]: { identitytoken: SECRET } } };
      site.login(identity);
      registry.override("/token", moved(`https://127.0.0.1:1/?t=${SECRET}`));
      registry.override("/v2/", challenge(`${registry.origin}/token`));
      await pull(site);
    });
  });

  it("nothing; and a host that repeats nothing is named", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      site.loginToRegistry();
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      registry.override(({ headers }) => headers.authorization === BASIC, moved("https://cdn.example/x"));
      expect(await pull(site)).toContain("cdn.example");
      registry.override("/v2/", challenge("https://auth.example/token"));
      expect(await pull(site)).toContain("auth.example");
    });
  });
});
