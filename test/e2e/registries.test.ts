import { chmodSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { enforcing, headline } from "../support/binary.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import type { Override } from "../support/http-server.ts";
import {
  authorizations,
  BASIC,
  challenge,
  crowd,
  guard,
  onSite,
  SECRET,
  SIGNED,
  tokenFor,
  UNAUTHORIZED,
  USER,
} from "../support/registry-site.ts";
import { SilentPort } from "../support/silent-port.ts";
import { INDEX_TYPE, SIGNATURE_TYPE, StandInRegistry } from "../support/stand-in-registry.ts";
import { TwoFacedPort } from "../support/two-faced-port.ts";

describe.concurrent("a registry that labels", () => {
  const DOCKER = "application/vnd.docker.distribution.manifest";

  it("an OCI manifest as Docker's is believed; a manifest as an index is not", async () => {
    await onSite(async (site) => {
      for (const [mediaType, expected] of [
        [`${DOCKER}.v2+json`, SIGNED],
        [`${DOCKER}.list.v2+json`, "1 deny record.media_type_mismatch"],
        [INDEX_TYPE, "1 deny record.media_type_mismatch"],
      ] as const) {
        site.world.policy(enforcing(site.world.signer.did));
        const answered = await site.world.pull(site.world.name, { ...site.image, mediaType });
        expect(headline(answered)).toBe(expected);
      }
    });
  });
});

describe.concurrent("a registry that wants to know who asks", () => {
  it("gives a token to anybody", async () => {
    await onSite(async (site) => {
      site.world.registry.access = "token";
      expect(headline(await site.pull())).toBe(SIGNED);
      const [asked] = site.world.registry.requests.filter(({ path }) => path === "/token");
      expect(asked?.query.getAll("scope")).toEqual(["repository:alice/app:pull"]);
      site.world.registry.access = "denied";
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
    });
  });

  it("gives one for the password, of which a redirect and other services see nothing", async () => {
    await onSite(async (site) => {
      const { registry, plc, pds } = site.world;
      guard(registry, "Bearer of-alice", challenge(`${registry.origin}/token`));
      registry.override("/token", tokenFor({ access_token: "of-alice" }));
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
      site.loginToRegistry();
      expect(headline(await site.pull())).toBe(SIGNED);

      const thief = await site.another();
      registry.override(({ headers }) => headers.authorization === "Bearer of-alice", {
        status: 307,
        headers: { location: `${thief.origin}/v2/alice/app/` },
      });
      await site.pull();
      expect(thief.requests.length).toBeGreaterThan(0);
      for (const { requests } of [thief, plc, pds])
        expect(new Set(authorizations(requests))).toEqual(new Set([undefined]));
      await thief.stop();
    });
  });

  it("and names a token server elsewhere: it gets the password only where the administrator says so", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      const tokens = await site.another();
      guard(registry, "Bearer of-elsewhere", challenge(`${tokens.origin}/token`));
      tokens.override("/token", tokenFor({ token: "of-elsewhere" }));
      site.loginToRegistry();
      const refused = await site.pull();
      expect(headline(refused)).toBe(UNAUTHORIZED);
      expect(refused.stdout).toContain("registryCredentials.realms");
      expect(authorizations(tokens.requests)).toEqual([undefined]);
      site.loginToRegistry({ "other.example": [tokens.authority] });
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
      site.loginToRegistry({ [registry.authority]: [tokens.authority] });
      expect(headline(await site.pull())).toBe(SIGNED);
      await tokens.stop();
    });
  });

  it("names its token server by http, though it speaks https itself: it is asked by https", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      guard(registry, "Bearer of-alice", challenge(`http://${registry.authority}/token`));
      registry.override("/token", tokenFor({ token: "of-alice" }));
      site.loginToRegistry();
      expect(headline(await site.pull())).toBe(SIGNED);
    });
  });

  it("has a token server that leads elsewhere: within its host all that is sent goes along, to another nothing", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      const thief = await site.another();
      thief.override("", { json: { token: "of-alice" } });
      guard(registry, "Bearer of-alice", challenge(`${registry.origin}/old/token`));
      registry.override("/new/token", ({ request }) =>
        request.headers.authorization === BASIC ||
        new URLSearchParams(Buffer.from(request.body).toString()).get("refresh_token") === SECRET
          ? { json: { token: "of-alice" } }
          : { status: 401 },
      );
      const leads = (status: number, location: string) =>
        registry.override("/old/token", { status, headers: { location } });
      site.loginToRegistry();
      for (const status of [301, 302, 307, 308]) {
        leads(status, "/new/token");
        expect(headline(await site.pull())).toBe(SIGNED);
      }
      const outside = [`${thief.origin}/token`, `http://${registry.authority}/new/token`];
      for (const location of outside) {
        leads(307, location);
        expect(headline(await site.pull())).toBe("2 inconclusive registry.bad_response");
      }
      site.login({ auths: { [registry.authority]: { identitytoken: SECRET } } });
      leads(307, "/new/token");
      expect(headline(await site.pull())).toBe(SIGNED);
      leads(302, "/new/token");
      expect(headline(await site.pull())).toBe("2 inconclusive registry.bad_response");
      leads(307, `${thief.origin}/token`);
      expect(headline(await site.pull())).toBe("2 inconclusive registry.bad_response");
      leads(307, "/old/token");
      registry.forget();
      expect(headline(await site.pull())).toBe("2 inconclusive registry.bad_response");
      expect(registry.count("/old/token")).toBe(4);
      expect(thief.requests).toEqual([]);
      await thief.stop();
    });
  });

  it("is known by a pattern in the file of credentials", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      const auth = Buffer.from(`${USER}:${SECRET}`).toString("base64");
      site.login({ auths: { [`127.0.*.1:${registry.port}`]: { auth } } });
      expect(headline(await site.pull())).toBe(SIGNED);
      site.login({ auths: { [`*.0.1:${registry.port}`]: { auth } } });
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
    });
  });

  it("is quoted with what it says, unless that holds what it was sent", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      const says = (code: string, message: string): Override => ({
        status: 403,
        json: { errors: [{ code, message }] },
      });
      registry.override("/v2/", says("DENIED", 'no "access"\u001b[31m for you'));
      expect((await site.pull()).stdout).toContain(`: it says "DENIED: no 'access'?[31m for you"`);

      site.loginToRegistry();
      registry.override("/v2/", { status: 401, headers: { "www-authenticate": "Basic" } });
      registry.override(
        ({ headers }) => headers.authorization === BASIC,
        ({ request }) => ({
          status: 403,
          json: { errors: [{ code: "DENIED", message: `${request.headers.authorization}` }] },
        }),
      );
      const answered = await site.pull();
      expect(headline(answered)).toBe(UNAUTHORIZED);
      expect(answered.stdout + answered.stderr).not.toContain(BASIC.slice("Basic ".length));

      registry.reset();
      guard(registry, "Bearer of-alice", challenge(`${registry.origin}/token`));
      registry.override("/token", says("DENIED", `the password is ${SECRET}`));
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
      registry.override("/token", says("DENIED", "the account is locked"));
      expect((await site.pull()).stdout).toContain("the account is locked");
      // A token's request is another one than the password's; the registry knows both.
      registry.override("/token", { json: { token: "of-alice" } });
      registry.override(({ headers }) => headers.authorization === "Bearer of-alice", says("DENIED", `not ${SECRET}`));
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
    });
  });

  it("says why no credential was found", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      site.login({ credHelpers: { [registry.authority]: "nowhere" } });
      const answers = [await site.pull()];
      site.loginToRegistry();
      chmodSync(join(site.world.folder, "auth/config.json"), 0o666);
      answers.push(await site.pull());
      const file = site.world.write("auth/config.json", `{"auths": ${SECRET}`, 0o600);
      site.settings = { registryCredentials: { files: [file] } };
      answers.push(await site.pull());
      expect(answers.map(headline)).toEqual([UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED]);
      expect(answers.map(({ stdout }) => stdout)).toEqual([
        expect.stringContaining("docker-credential-nowhere was not found in PATH"),
        expect.stringContaining("config.json can be written by others"),
        expect.stringContaining("config.json is not JSON"),
      ]);
    });
  });

  it("takes Basic, an identity token and a registry token", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
      site.loginToRegistry();
      expect(headline(await site.pull())).toBe(SIGNED);

      registry.reset();
      guard(registry, "Bearer refreshed", challenge(`${registry.origin}/token`));
      registry.override("/token", ({ request }) =>
        request.method === "POST" &&
        new URLSearchParams(Buffer.from(request.body).toString()).get("refresh_token") === SECRET
          ? { json: { access_token: "refreshed" } }
          : { status: 401 },
      );
      site.login({ auths: { [registry.authority]: { identitytoken: SECRET } } });
      expect(headline(await site.pull())).toBe(SIGNED);

      registry.reset();
      guard(registry, `Bearer ${SECRET}`, challenge(`${registry.origin}/token`));
      site.login({ auths: { [registry.authority]: { registrytoken: SECRET } } });
      expect(headline(await site.pull())).toBe(SIGNED);
      site.login({ auths: { "other.example": { registrytoken: SECRET } } });
      expect(headline(await site.pull())).toBe(UNAUTHORIZED);
    });
  });

  it("does not see a password from a file that others can write", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      site.loginToRegistry();
      chmodSync(join(site.world.folder, "auth/config.json"), 0o666);
      const answered = await site.pull();
      expect(headline(answered)).toBe(UNAUTHORIZED);
      expect(answered.stderr).toMatch(/^warning credentials\.unusable: [ -~]*config\.json/m);
      expect(new Set(authorizations(registry.requests))).toEqual(new Set([undefined]));
    });
  });
});

describe.concurrent("a credential helper", () => {
  const ANSWER = JSON.stringify({ ServerURL: "x", Username: USER, Secret: SECRET });
  const helpers = {
    "that answers": [`cat > /dev/null; echo '${ANSWER}'`, SIGNED],
    "that leaves a child with its output": [`sleep 30 & echo '${ANSWER}'`, SIGNED],
    "that says much on standard error": [`echo ${SECRET} >&2; echo '${ANSWER}'`, SIGNED],
    "that is not given what this program tells itself": [
      `env | grep -E '^(BUN_|ATCR_VERIFY_(ENGINE|HANDED_OVER|WARNED))' && exit 1; echo '${ANSWER}'`,
      SIGNED,
    ],
    "that hangs": ["exec sleep 30", UNAUTHORIZED],
    "that floods": [`while :; do echo ${SECRET}${SECRET}${SECRET}; done`, UNAUTHORIZED],
    "that fails with its secret": [`echo ${SECRET}; echo ${SECRET} >&2; exit 1`, UNAUTHORIZED],
    "that knows nothing": ["echo credentials not found in native keychain; exit 1", UNAUTHORIZED],
    "that answers nonsense": [`echo ${SECRET}`, UNAUTHORIZED],
    "that is killed": ["kill -9 $$", UNAUTHORIZED],
  } as const;

  it.each(Object.entries(helpers))("%s", async (_, [script, expected]) => {
    await onSite(async (site) => {
      const { world } = site;
      guard(world.registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      const program = world.write("bin/docker-credential-test", `#!/bin/sh\n${script}\n`, 0o755);
      site.env = { PATH: `${dirname(program)}:/usr/bin:/bin` };
      site.settings = { registryTimeout: "1s" };
      site.login({ credHelpers: { [world.registry.authority]: "test" } });
      expect(headline(await site.pull())).toBe(expected);
    });
  });

  it("has the environment that containerd gave, proxies and all", async () => {
    await onSite(async (site) => {
      const { world } = site;
      guard(world.registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      const seen = join(world.folder, "seen");
      const script = `#!/bin/sh\nenv > ${seen}\necho '${ANSWER}'\n`;
      const program = world.write("bin/docker-credential-test", script, 0o755);
      const given = { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "a.example", no_proxy: "127.0.0.0/8", ELSE: "x" };
      site.env = { ...given, PATH: `${dirname(program)}:/usr/bin:/bin` };
      site.login({ credHelpers: { [world.registry.authority]: "test" } });
      expect(headline(await site.pull())).toBe(SIGNED);
      const lines = readFileSync(seen, "utf8").split("\n");
      expect(lines).toEqual(expect.arrayContaining(Object.entries(given).map(([name, value]) => `${name}=${value}`)));
    });
  });

  it("that hangs is waited for until the deadline at most, and named", async () => {
    await onSite(async (site) => {
      const { world } = site;
      guard(world.registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      const program = world.write("bin/docker-credential-test", "#!/bin/sh\nexec sleep 30\n", 0o755);
      site.env = { PATH: `${dirname(program)}:/usr/bin:/bin` };
      site.settings = { registryTimeout: "20s", deadline: "2s" };
      site.login({ credHelpers: { [world.registry.authority]: "test" } });
      const answered = await site.pull();
      expect(answered.code).toBe(2);
      expect(answered.stdout).toContain("docker-credential-test");
    });
  });

  it("is not run where others could have written it, nor by a name that is a path", async () => {
    await onSite(async (site) => {
      const { world } = site;
      guard(world.registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      const program = world.write("bin/docker-credential-test", `#!/bin/sh\necho '${ANSWER}'\n`, 0o777);
      site.env = { PATH: dirname(program) };
      for (const helper of ["test", "../bin/docker-credential-test", `x/../${program}`]) {
        site.login({ credHelpers: { [world.registry.authority]: helper } });
        const answered = await site.pull();
        expect(headline(answered)).toBe(UNAUTHORIZED);
        expect(answered.stderr).toMatch(/^warning credentials\.unusable: [ -~]+$/m);
      }
    });
  });
});

describe.concurrent("mirrors of containerd's hosts.toml", () => {
  const hostOf = (registry: StandInRegistry, more = "") =>
    `[host."${registry.origin}"]\ncapabilities = ["pull", "resolve"]\n${more}\n`;

  it("are asked in their order, and a name stays whose it is", async () => {
    await onSite(async (site) => {
      const [first, second] = [await site.another(), await site.another()];
      site.sign(second);
      site.hosts(`server = "${site.world.registry.origin}"\n${hostOf(first)}${hostOf(second)}`);
      site.world.registry.override("", { status: 500 });
      expect(headline(await site.pull())).toBe(SIGNED);
      for (const mirror of [first, second]) {
        const listing = mirror.requests.find(({ path }) => path.includes("/referrers/"));
        expect(listing?.query.get("ns")).toBe(site.world.registry.authority);
      }
      // The rule is about the name's host, not about a mirror's.
      const rule = `{name: all, scope: "${first.authority}/**", action: enforce}`;
      site.world.policy(`version: 1.0\ntrustedDIDs: {"${site.world.signer.did}": {}}\npolicies:\n  - ${rule}\n`);
      expect(headline(await site.pull())).toBe("1 deny policy.no_match");
      await Promise.all([first.stop(), second.stop()]);
    });
  });

  it.each([
    ["knows no referrers", { status: 404 }],
    ["lists none", { headers: { "content-type": INDEX_TYPE }, json: { schemaVersion: 2, manifests: [] } }],
    ["fails", { status: 503, headers: { "retry-after": "60" } }],
    ["wants credentials", { status: 401, headers: { "www-authenticate": "Basic" } }],
    ["answers nonsense", { body: Buffer.from("<html>") }],
  ] as const)("that %s: falls through to the registry itself", async (_, answer) => {
    await onSite(async (site) => {
      const mirror = await site.another();
      mirror.override("/v2/", answer);
      site.hosts(hostOf(mirror));
      site.loginToRegistry();
      expect(headline(await site.pull())).toBe(SIGNED);
      expect(mirror.requests.length).toBeGreaterThan(0);
      expect(new Set(authorizations(mirror.requests))).toEqual(new Set([undefined]));
      await mirror.stop();
    });
  });

  it.each([
    ["a signature of a stranger", { annotations: { "io.atcr.atproto.did": "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz" } }, {}],
    [
      "a descriptor without a type, of something else",
      { artifactType: "application/spdx+json" },
      { artifactType: undefined },
    ],
  ])("that list %s: the registry itself is asked for the rest", async (_, attached, listed) => {
    await onSite(async (site) => {
      const mirror = await site.another();
      const descriptor = mirror.attach("alice/app", site.image, attached);
      mirror.override("/referrers/", { json: { schemaVersion: 2, manifests: [{ ...descriptor, ...listed }] } });
      site.hosts(hostOf(mirror));
      expect(headline(await site.pull())).toBe(SIGNED);
      expect(mirror.count("/referrers/")).toBeGreaterThan(0);
      await mirror.stop();
    });
  });

  it("that list one of two signers who are both needed: the registry itself is asked for the other", async () => {
    await onSite(async (site) => {
      const [mirror, { registry, signer }] = [await site.another(), site.world];
      mirror.attach("alice/app", site.image, { annotations: { "io.atcr.atproto.did": crowd[0] ?? "" } });
      site.world.policy(
        enforcing(...crowd, signer.did).replace("action: enforce", "action: enforce, require: {minSignatures: 2}"),
      );
      site.hosts(hostOf(mirror));
      await site.pull();
      expect(registry.count("/referrers/")).toBeGreaterThan(0);
      await mirror.stop();
    });
  });

  it("that could not be read, where the registry itself lists nothing: that is no final no, and names the mirror", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      const mirror = await site.another();
      site.hosts(hostOf(mirror));
      registry.override("/referrers/", { json: { schemaVersion: 2, manifests: [] } });
      expect(headline(await site.pull())).toBe("1 deny signature.none");
      mirror.override("", { status: 503 });
      const answered = await site.pull();
      expect(headline(answered)).toBe("2 inconclusive registry.unreachable");
      expect(answered.stdout).toContain(mirror.authority);
      await mirror.stop();
    });
  });

  it("by the repository's name there: that is what the token and the credentials are for", async () => {
    await onSite(async (site) => {
      const mirror = await site.another();
      site.world.registry.override("", { status: 500 });
      const path = "/v2/proxy-hub";
      site.hosts(`[host."${mirror.origin}${path}"]\ncapabilities = ["pull"]\noverride_path = true\n`);
      const own = "repository:proxy-hub/alice/app:pull";
      guard(mirror, "Bearer of-the-mirror", challenge(`${mirror.origin}/token`));
      mirror.override("/token", ({ request }) =>
        request.headers.authorization === BASIC && request.query.getAll("scope").join() === own
          ? { json: { token: "of-the-mirror" } }
          : { status: 401 },
      );
      mirror.attach("proxy-hub/alice/app", site.image, {
        annotations: { "io.atcr.atproto.did": site.world.signer.did },
      });
      const auth = Buffer.from(`${USER}:${SECRET}`).toString("base64");
      site.login({ auths: { [`${mirror.authority}/proxy-hub`]: { auth } } });
      expect(headline(await site.pull())).toBe(SIGNED);
      site.login({ auths: { [`${mirror.authority}/alice`]: { auth } } });
      expect((await site.pull()).code).toBe(2);
      await mirror.stop();
    });
  });

  it("with an authorization of hosts.toml, however that is written: the credential takes its place", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      guard(registry, BASIC, { status: 401, headers: { "www-authenticate": "Basic" } });
      site.loginToRegistry();
      for (const name of ["authorization", "Authorization", "AUTHORIZATION"]) {
        registry.forget();
        site.hosts(`server = "${registry.origin}"\n[header]\n${name} = "of-the-file"\n`);
        expect(headline(await site.pull())).toBe(SIGNED);
        expect(new Set(authorizations(registry.requests))).toEqual(new Set(["of-the-file", BASIC]));
      }
    });
  });

  it("of _default, with a path of its own and a header that it alone gets", async () => {
    await onSite(async (site) => {
      const mirror = await site.another();
      const path = "/v2/cache/of";
      site.hosts(
        `[host."${mirror.origin}${path}"]\ncapabilities = ["pull"]\noverride_path = true\n[host."${mirror.origin}${path}".header]\nx-node = "secret"\n`,
        "_default",
      );
      await site.pull();
      expect(mirror.requests.map((request) => request.path)).toContain(
        `${path}/alice/app/referrers/${site.image.digest}`,
      );
      expect(mirror.requests.every(({ headers }) => headers["x-node"] === "secret")).toBe(true);
      expect(site.world.registry.requests.some(({ headers }) => "x-node" in headers)).toBe(false);
      await mirror.stop();
    });
  });

  it("with an authority of their own; skip_verify counts only where the administrator lists the host", async () => {
    await onSite(async (site) => {
      const stranger = new CertificateAuthority();
      const mirror = await StandInRegistry.start({ tls: stranger.issue({ names: ["127.0.0.1"] }) });
      site.sign(mirror);
      site.world.registry.override("", { status: 500 });
      site.hosts(hostOf(mirror));
      expect((await site.pull()).code).toBe(2);
      site.hosts(hostOf(mirror, "skip_verify = true"));
      expect((await site.pull()).code).toBe(2);
      expect(mirror.requests).toEqual([]);
      expect(headline(await site.pull({ skipVerify: [mirror.authority] }))).toBe(SIGNED);
      const ca = site.world.write("stranger.pem", stranger.cert);
      site.hosts(hostOf(mirror, `ca = "${ca}"`));
      expect(headline(await site.pull())).toBe(SIGNED);
      await mirror.stop();
    });
  });

  it("by plain http only where that is listed as well", async () => {
    await onSite(async (site) => {
      const mirror = await StandInRegistry.start();
      site.sign(mirror);
      site.world.registry.override("", { status: 500 });
      site.hosts(hostOf(mirror));
      expect((await site.pull()).code).toBe(2);
      expect(mirror.requests).toEqual([]);
      expect(headline(await site.pull({ allow: ["127.0.0.0/8", mirror.origin] }))).toBe(SIGNED);
      await mirror.stop();
    });
  });

  it("by https where the URL says http and something is said of TLS, and by http where that is listed and all they speak", async () => {
    await onSite(async (site) => {
      const { world } = site;
      world.registry.override("", { status: 500 });
      const secure = await site.another();
      const plain = await StandInRegistry.start();
      for (const mirror of [secure, plain]) site.sign(mirror);
      const http = (mirror: StandInRegistry) =>
        `[host."http://${mirror.authority}"]\ncapabilities = ["pull"]\nca = "ca.pem"\n`;
      world.write(`certs.d/${world.registry.authority}/ca.pem`, world.authority.cert);
      site.hosts(http(secure));
      expect(headline(await site.pull())).toBe(SIGNED);

      site.hosts(http(plain));
      expect((await site.pull()).code).toBe(2);
      expect(plain.requests).toEqual([]);
      expect(headline(await site.pull({ allow: ["127.0.0.0/8", plain.origin] }))).toBe(SIGNED);
      await Promise.all([secure.stop(), plain.stop()]);
    });
  });

  it("not by http where they speak TLS and are not trusted", async () => {
    await onSite(async (site) => {
      const { world } = site;
      world.registry.override("", { status: 500 });
      const strange = new CertificateAuthority("stranger").issue({ names: ["127.0.0.1"] });
      await using secure = await StandInRegistry.start({ tls: strange });
      await using plain = await StandInRegistry.start();
      site.sign(plain);
      await using port = await TwoFacedPort.start(secure, plain);
      world.write(`certs.d/${world.registry.authority}/ca.pem`, world.authority.cert);
      site.hosts(`[host."http://${port.authority}"]\ncapabilities = ["pull"]\nca = "ca.pem"\n`);
      const answered = await site.pull({ allow: ["127.0.0.0/8", `http://${port.authority}`] });
      expect(answered.code).toBe(2);
      expect(plain.requests).toEqual([]);
    });
  });

  it("that drop packets leave those behind them their share of the time, with a dial_timeout and without", async () => {
    await onSite(async (site) => {
      const [good, silent] = [await site.another(), await SilentPort.start()];
      site.sign(good);
      site.world.registry.override("", { status: 500 });
      const dropping = (host: string, more = "") => `[host."https://${host}:${silent.port}"]\n${more}\n`;
      for (const more of ["", 'dial_timeout = "200ms"']) {
        site.hosts(`${dropping("127.0.0.1", more)}${dropping("localhost", more)}${hostOf(good)}`);
        expect(headline(await site.pull())).toBe(SIGNED);
      }
      site.hosts(dropping("127.0.0.1", 'dial_timeout = "200ms"'));
      expect((await site.pull()).stdout).toContain("no connection within 200 ms");
      silent.stop();
      await good.stop();
    });
  });

  it("are not asked where they have a rewrite, which the reason names; a key that is unknown is warned of", async () => {
    await onSite(async (site) => {
      const mirror = await site.another();
      site.sign(mirror);
      site.world.registry.override("", { status: 500 });
      site.hosts(hostOf(mirror, 'rewrite = {"^alice/(.*)" = "mirrored/$1"}\ndial-timeout = "1s"'));
      const answered = await site.pull();
      expect(answered.code).toBe(2);
      expect(answered.stdout).toMatch(/rewrite/);
      expect(answered.stderr).toMatch(/^warning hosts_toml\.host_not_asked: [ -~]*rewrite/m);
      expect(answered.stderr).toMatch(/^warning hosts_toml\.unused: [ -~]*hosts\.toml: [ -~]*dial-timeout/m);
      expect(mirror.requests).toEqual([]);
      await mirror.stop();
    });
  });

  it("are passed over where the file is damaged or can be written by others", async () => {
    await onSite(async (site) => {
      const mirror = await site.another();
      site.hosts("server = [[[");
      for (const prepare of [() => {}, () => site.hosts(hostOf(mirror))]) {
        prepare();
        chmodSync(join(site.world.folder, "certs.d", site.world.registry.authority, "hosts.toml"), 0o666);
        const answered = await site.pull();
        expect(headline(answered)).toBe(SIGNED);
        expect(answered.stderr).toMatch(/^warning hosts_toml\.unusable: [ -~]*hosts\.toml/m);
      }
      // What is not used may be why the registry itself was of no help.
      site.world.registry.override("", { status: 500 });
      expect((await site.pull()).stdout).toMatch(/hosts\.toml can be written by others/);
      expect(mirror.requests).toEqual([]);
      await mirror.stop();
    });
  });
});

describe.concurrent("a registry's list of referrers", () => {
  const list = (...manifests: unknown[]): Override => ({ json: { schemaVersion: 2, manifests } });

  it("that is filtered by another type than the manifest's own is asked for unfiltered", async () => {
    await onSite(async (site) => {
      const { registry, signer } = site.world;
      const [descriptor] = registry.referrers("alice/app", site.image.digest);
      registry.override("/referrers/", list({ ...descriptor, artifactType: "application/vnd.oci.empty.v1+json" }));
      registry.override("artifactType=", list());
      expect(headline(await site.pull())).toBe(SIGNED);
      // What the second question comes to changes nothing where every signer was asked.
      registry.override("/referrers/", { status: 500 });
      registry.override("artifactType=", list());
      expect((await site.pull()).code).toBe(2);
      await signer.unsign(site.image.digest, site.world.begun + 60_000);
      site.world.policy(enforcing(signer.did));
      expect(headline(await site.pull())).toBe("1 deny signature.none");
    });
  });

  it.each([
    ["the sum of all sizes", 10_000_000],
    ["a smaller one", 3],
    ["none", undefined],
  ])("with a size that is wrong, %s: the digest decides", async (_, size) => {
    await onSite(async (site) => {
      const { registry } = site.world;
      const [descriptor] = registry.referrers("alice/app", site.image.digest);
      registry.override("/referrers/", list({ ...descriptor, size, artifactType: undefined, annotations: undefined }));
      expect(headline(await site.pull())).toBe(SIGNED);
    });
  });

  it.each([
    ["is a page", { body: "<html>", headers: { "content-type": "text/html" } }],
    ["is no index", { json: {} }],
    ["leads to a page", { status: 303, headers: { location: "/login" } }],
    ["leads to a host that refuses", { status: 303, headers: { location: "https://127.0.0.1:1/login" } }],
    ["leads to a host that there is not", { status: 303, headers: { location: "https://nowhere.invalid/login" } }],
    ["leads in circles", { status: 302, headers: { location: "?again" } }],
    ["leads to no place", { status: 302 }],
  ])("that %s: the tag is asked for", async (_, answer) => {
    await onSite(async (site) => {
      const { registry, signer } = site.world;
      const annotations = { "io.atcr.atproto.did": signer.did };
      registry.attach("alice/app", site.image, { artifactType: SIGNATURE_TYPE, annotations, fallbackTag: true });
      registry.override("/login", { body: "<html>" });
      registry.override("/referrers/", answer);
      expect(headline(await site.pull())).toBe(SIGNED);
      registry.override("/manifests/sha256-", { status: 404 });
      expect(headline(await site.pull())).toBe("1 deny signature.none");
    });
  });

  it("that is null is empty", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      registry.override("/referrers/", { json: { schemaVersion: 2, manifests: null } });
      expect(headline(await site.pull())).toBe("1 deny signature.none");
      expect(registry.count("/manifests/")).toBe(0);
    });
  });

  it("that there is not, and a tag that must not be seen: that is no wish for credentials", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      registry.override("/referrers/", { status: 404 });
      registry.override("/manifests/sha256-", { status: 403 });
      const answered = await site.pull();
      expect(headline(answered)).toBe("2 inconclusive registry.bad_response");
      expect(answered.stdout).toContain("fallback tag could not be read");
    });
  });

  it("costs an unsigned image two requests where there is one, and where there is none", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      const unsigned = await site.world.image("unsigned", { signed: false });
      for (const status of [200, 404] as const) {
        registry.forget();
        registry.referrersApi = status === 200 ? "on" : status;
        site.world.policy(enforcing(site.world.signer.did));
        expect(headline(await site.world.pull(site.world.name, unsigned))).toBe("1 deny signature.none");
        expect(registry.requests).toHaveLength(2);
      }
    });
  });
});

describe.concurrent("another attempt", () => {
  it("is made where a server was busy, and waits as long as it says", async () => {
    await onSite(async (site) => {
      const { registry, plc, pds } = site.world;
      const busy = { status: 503, headers: { "retry-after": "1" } };
      registry.override("/referrers/", busy, "usual");
      plc.override("/log/audit", { status: 429 }, { status: 502 }, "usual");
      pds.override("getRecord", { status: 500 }, "usual");
      const answered = await site.pull();
      expect(headline(answered)).toBe(SIGNED);
      expect([registry.count("/referrers/"), plc.count("/log/audit"), pds.count("getRecord")]).toEqual([2, 3, 2]);
      const [first, second] = registry.requests.filter(({ path }) => path.includes("/referrers/"));
      expect((second?.arrivedAt ?? 0) - (first?.answeredAt ?? 0)).toBeGreaterThanOrEqual(990);
    });
  });

  it("is not made where that would be too late, or the answer says no", async () => {
    await onSite(async (site) => {
      const { registry } = site.world;
      for (const [answer, code] of [
        [{ status: 429, headers: { "retry-after": "3600" } }, "registry.unreachable"],
        [{ status: 403 }, "registry.unauthorized"],
        [{ status: 418 }, "registry.bad_response"],
      ] as const) {
        registry.forget();
        registry.override("/v2/", answer);
        expect(headline(await site.pull())).toBe(`2 inconclusive ${code}`);
        expect(registry.requests.length).toBe(1);
      }
    });
  });
});
