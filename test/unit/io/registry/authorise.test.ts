import { describe, expect, it } from "vitest";
import type { Credential } from "../../../../src/core/oci/docker-config.ts";
import type { HttpRequest, HttpResponse } from "../../../../src/io/net/exchange.ts";
import { authorise } from "../../../../src/io/registry/authorise.ts";
import { RegistryClient } from "../../../../src/io/registry/client.ts";
import type { Endpoint } from "../../../../src/io/registry/endpoints.ts";

const ENDPOINT: Endpoint = { root: "https://registry.example/v2", host: "registry.example" };
const PASSWORD: Credential = { kind: "password", username: "user", password: "secret" };
const BASIC = `Basic ${Buffer.from("user:secret").toString("base64")}`;
const realm = (url: string, more = ',service="svc",scope="repository:other:push,pull"') =>
  `Bearer realm="${url}"${more}`;

interface Given {
  readonly credential?: Credential;
  readonly realms?: Readonly<Record<string, readonly string[]>>;
  readonly endpoint?: Endpoint;
  readonly answer?: unknown;
  readonly problems?: readonly string[];
  readonly status?: number;
}

async function authorised(header: string | undefined, given: Given = {}) {
  const asked: HttpRequest[] = [];
  const {
    credential,
    realms = {},
    endpoint = ENDPOINT,
    answer = { token: "tok" },
    status = 200,
    problems = [],
  } = given;
  const result = await authorise(header, endpoint, "team/app", {
    ask: async (request) => {
      asked.push(request);
      const body = typeof answer === "string" ? answer : JSON.stringify(answer);
      return { status, url: request.url, headers: new Map(), body: Buffer.from(body) };
    },
    credentials: async () => ({ ...(credential && { found: { credential, from: "/auth.json" } }), problems }),
    actions: "pull" as const,
    realms: new Map(Object.entries(realms)),
    isLoginOnly: false,
    timeout: () => 1000,
  });
  expect(result.tried).not.toContain("secret");
  return { ...result, asked };
}

describe("authorise, without credentials", () => {
  it("says where they were looked for and what to do, and that ATCR serves nobody without a login", async () => {
    const context = {
      ask: () => Promise.reject(new Error("nothing is asked")),
      credentials: async () => ({ problems: [], searched: "no credentials for registry.example in /auth.json" }),
      actions: "pull" as const,
      realms: new Map(),
      timeout: () => 1000,
    };
    const tried = async (isLoginOnly: boolean) =>
      (await authorise("Basic", ENDPOINT, "team/app", { ...context, isLoginOnly })).tried;
    for (const text of [await tried(false), await tried(true)]) {
      expect(text).toContain("no credentials for registry.example in /auth.json");
      expect(text).toContain("docker login registry.example");
      expect(text).toContain("registryCredentials.files");
    }
    expect(await tried(false)).not.toContain("app password");
    expect(await tried(true)).toContain("app password");
  });
});

describe("authorise", () => {
  it("asks for a token to pull this repository alone, whatever the challenge asks for", async () => {
    const { header, asked } = await authorised(realm("https://registry.example/token?a=b"));
    expect(header).toBe("Bearer tok");
    expect(asked[0]?.url).toBe("https://registry.example/token?a=b&scope=repository%3Ateam%2Fapp%3Apull&service=svc");
    expect(asked[0]).not.toHaveProperty("headers");
    expect(asked[0]).toMatchObject({ staysAtOrigin: true, originMayBePrivate: true, purpose: "token server" });
  });

  it.each([
    ["its own host", "https://registry.example/token", {}, true],
    ["its own host, the port written out", "https://registry.example:443/token", {}, true],
    ["another host", "https://auth.example/token", {}, false],
    ["another port", "https://registry.example:8443/token", {}, false],
    ["its own host in plain http, which is asked by https", "http://registry.example/token", {}, true],
    ["another port of its own host in plain http", "http://registry.example:8080/token", {}, false],
    ["a host that is listed for it", "https://auth.example/token", { "registry.example": ["auth.example"] }, true],
    [
      "a port that is listed for it",
      "https://auth.example:8443/token",
      { "registry.example": ["auth.example:8443"] },
      true,
    ],
    ["a listed host in plain http", "http://auth.example/token", { "registry.example": ["auth.example"] }, false],
    ["a host that is listed for another", "https://auth.example/token", { "other.example": ["auth.example"] }, false],
    [
      "what looks like a listed host",
      "https://auth.example.evil/token",
      { "registry.example": ["auth.example"] },
      false,
    ],
    ["a user before the host", "https://auth.example@evil.example/t", { "registry.example": ["auth.example"] }, false],
  ])("sends the password to %s: %s", async (_, url, realms, sent) => {
    for (const credential of [PASSWORD, { kind: "identity token", token: "secret" } as const]) {
      const { asked, tried } = await authorised(realm(url), { credential, realms });
      const [{ secrets: _secrets, ...request } = {}] = asked;
      expect(JSON.stringify(request).includes(credential.kind === "password" ? BASIC : "secret")).toBe(sent);
      if (!sent) expect(tried).toContain("registryCredentials.realms");
    }
  });

  it.each([
    ["https://registry.example/v2", "http://registry.example/token", "https://registry.example/token"],
    ["https://registry.example:5000/v2", "http://registry.example:5000/token", "https://registry.example:5000/token"],
    ["https://registry.example:5000/v2", "http://registry.example/token", "https://registry.example/token"],
    ["https://registry.example/v2", "http://registry.example:5001/token", "http://registry.example:5001/token"],
    ["https://registry.example/v2", "http://auth.example/token", "http://auth.example/token"],
    ["http://registry.example:5000/v2", "http://registry.example:5000/token", "http://registry.example:5000/token"],
  ])("asks what speaks https itself by https: %s, %s", async (root, url, expected) => {
    const { asked } = await authorised(realm(url, ""), { endpoint: { ...ENDPOINT, root } });
    expect(asked[0]?.url).toBe(`${expected}?scope=repository%3Ateam%2Fapp%3Apull`);
  });

  it("quotes what the token server says, but nothing that it was sent", async () => {
    const refused = (message: string, credential: Credential = PASSWORD) =>
      authorised(realm("https://registry.example/token"), {
        credential,
        status: 401,
        answer: { errors: [{ code: "DENIED", message }] },
      });
    expect((await refused("no such user")).tried).toMatch(/: it says "DENIED: no such user"$/);
    for (const message of ["wrong: secret", BASIC, BASIC.slice("Basic ".length)]) {
      expect((await refused(message)).tried).not.toContain(message);
    }
    const token = { kind: "identity token", token: "a-long-secret-token" } as const;
    expect((await refused("bad: a-long-secret-token", token)).tried).not.toContain("a-long-s");
  });

  it("says which files and helpers could not be used", async () => {
    const problems = ["docker-credential-x was not found in PATH"];
    expect((await authorised("Basic", { problems })).tried).toBe(`no password for it was found; ${problems[0]}`);
    expect((await authorised(realm("https://registry.example/token"), { problems, status: 401 })).tried).toContain(
      problems[0],
    );
  });

  it("allows a private address to the registry's own token server alone", async () => {
    const { asked } = await authorised(realm("https://auth.example/token"), {
      realms: { "registry.example": ["auth.example"] },
    });
    expect(asked[0]?.originMayBePrivate).toBe(false);
  });

  it("exchanges an identity token by POST", async () => {
    const { header, asked } = await authorised(realm("https://registry.example/token"), {
      credential: { kind: "identity token", token: "secret" },
      answer: { access_token: "tok2" },
    });
    expect(header).toBe("Bearer tok2");
    expect(asked[0]).toMatchObject({
      url: "https://registry.example/token",
      form: {
        grant_type: "refresh_token",
        refresh_token: "secret",
        client_id: "atcr-verify",
        service: "svc",
        scope: "repository:team/app:pull",
      },
    });
  });

  it("sends a registry token as it is, and asks nobody", async () => {
    const credential = { kind: "registry token", token: "t" } as const;
    expect(await authorised(realm("https://evil.example/"), { credential })).toMatchObject({
      header: "Bearer t",
      asked: [],
    });
  });

  it("answers Basic with the password, and prefers a token", async () => {
    expect(await authorised("Basic", { credential: PASSWORD })).toMatchObject({ header: BASIC, asked: [] });
    expect(await authorised("Basic")).not.toHaveProperty("header");
    const both = `Basic realm="x", ${realm("https://registry.example/token")}`;
    expect((await authorised(both, { credential: PASSWORD })).header).toBe("Bearer tok");
  });

  it.each([[undefined], ["Negotiate"], ["Bearer"], [realm("no URL")]])("tries nothing by %j", async (header) => {
    expect(await authorised(header, { credential: PASSWORD })).not.toHaveProperty("header");
  });

  it.each([
    ["no token", {}, 200],
    ["a token with a line break", { token: "a\r\nX: y" }, 200],
    ["a token with a space", { token: "a b" }, 200],
    ["an empty token", { token: "" }, 200],
    ["a token that is no text", { token: 1 }, 200],
    ["no JSON", "<html>", 200],
    ["a refusal", { token: "tok" }, 401],
  ])("takes none from %s", async (_, answer, status) => {
    const found = await authorised(realm("https://registry.example/token"), { answer, status, credential: PASSWORD });
    expect(found).not.toHaveProperty("header");
    expect(found.tried).toContain("with the password from /auth.json");
  });
});

describe("RegistryClient", () => {
  const served = (handle: (request: HttpRequest) => { status: number; headers?: Record<string, string> }) => {
    const asked: HttpRequest[] = [];
    const ask = async (request: HttpRequest): Promise<HttpResponse> => {
      asked.push(request);
      const { status, headers = {} } = handle(request);
      const body = Buffer.from(request.purpose === "token server" ? '{"token":"tok"}' : "");
      return { status, url: request.url, headers: new Map(Object.entries(headers)), body };
    };
    const context = {
      ask,
      credentials: async () => ({ problems: [] }),
      actions: "pull" as const,
      realms: new Map(),
      isLoginOnly: false,
      timeout: () => 1000,
    };
    return { asked, context };
  };
  const request = { accept: "*/*", maxBytes: 10, maxRedirects: 5 };
  const challenge = { "www-authenticate": realm("https://registry.example/token") };
  const wantsToken = ({ headers, purpose }: HttpRequest) =>
    purpose === "token server" || headers?.["Authorization"] === "Bearer tok"
      ? { status: 200 }
      : { status: 401, headers: challenge };

  it("asks once where nothing is wanted", async () => {
    const { asked, context } = served(() => ({ status: 200 }));
    const client = new RegistryClient(ENDPOINT, "team/app", context);
    expect(await client.get(client.urlOf("tags/list"), request)).not.toHaveProperty("tried");
    expect(asked.map(({ url }) => url)).toEqual(["https://registry.example/v2/team/app/tags/list"]);
  });

  it("gets one token for all requests to a repository, also side by side", async () => {
    const { asked, context } = served(wantsToken);
    const client = new RegistryClient(ENDPOINT, "team/app", context);
    const answers = await Promise.all(["a", "b", "c"].map((name) => client.get(client.urlOf(name), request)));
    expect(answers.map(({ response }) => response.status)).toEqual([200, 200, 200]);
    await client.get(client.urlOf("d"), request);
    expect(asked.filter(({ purpose }) => purpose === "token server")).toHaveLength(1);
    expect(asked).toHaveLength(3 + 1 + 3 + 1);
  });

  it("does not ask again and again where the token is not enough", async () => {
    const { asked, context } = served(({ purpose }) =>
      purpose === "token server" ? { status: 200 } : { status: 401, headers: challenge },
    );
    const client = new RegistryClient(ENDPOINT, "team/app", context);
    const { response, tried } = await client.get(client.urlOf("a"), request);
    expect([response.status, tried]).toEqual([401, "with a token from registry.example, requested anonymously"]);
    expect(asked).toHaveLength(3);
    await client.get(client.urlOf("b"), request);
    expect(asked).toHaveLength(4);
  });

  it.each([
    ["https://registry.example/v2", "team/app"],
    ["https://harbor.example/v2/proxy-hub", "proxy-hub/team/app"],
    ["https://harbor.example/v2/a/b/", "a/b/team/app"],
    ["https://artifactory.example/artifactory/api/docker/hub/v2", "team/app"],
    ["https://mirror.example/mirror", "team/app"],
    ["https://mirror.example", "team/app"],
  ])("wants a token, and looks for credentials, for the repository as %s has it: %s", async (root, expected) => {
    const wanted: string[] = [];
    const { asked, context } = served(wantsToken);
    const credentials = async ({ path }: { path: string }) => {
      wanted.push(path);
      return { problems: [] };
    };
    const client = new RegistryClient({ ...ENDPOINT, root }, "team/app", { ...context, credentials });
    await client.get(client.urlOf("tags/list"), request);
    const token = asked.find(({ purpose }) => purpose === "token server");
    expect(new URL(token?.url ?? "").searchParams.get("scope")).toBe(`repository:${expected}:pull`);
    expect(wanted).toEqual([expected]);
  });

  it("sends its credential in place of an authorization of hosts.toml, whose name has no case", async () => {
    const { asked, context } = served(wantsToken);
    const endpoint = { ...ENDPOINT, headers: { authorization: "", x: "y" } };
    const client = new RegistryClient(endpoint, "team/app", context);
    await client.get(client.urlOf("tags/list"), request);
    expect(asked.at(0)?.headers).toEqual({ authorization: "", x: "y" });
    expect(asked.at(-1)?.headers).toEqual({ Authorization: "Bearer tok", x: "y" });
  });

  it("asks neither the registry nor its token server at a private address where it must be public", async () => {
    const { asked, context } = served(({ url }) =>
      url.includes("/token")
        ? { status: 200 }
        : { status: 401, headers: { "www-authenticate": realm("https://registry.example/token") } },
    );
    const client = new RegistryClient({ ...ENDPOINT, mustBePublic: "named by settings" }, "team/app", context);
    await client.get(client.urlOf("manifests/v1"), { ...request, method: "HEAD" });
    expect(
      asked.map(({ url, method, originMayBePrivate }) => [new URL(url).pathname, method, originMayBePrivate]),
    ).toEqual([
      ["/v2/team/app/manifests/v1", "HEAD", false],
      ["/token", undefined, false],
      ["/v2/team/app/manifests/v1", "HEAD", false],
    ]);
  });

  it("tells a mirror whose images are meant, and sends what hosts.toml says to it", async () => {
    const { asked, context } = served(() => ({ status: 200 }));
    const tls = { ca: [{ path: "/ca.pem", text: "PEM" }] };
    const endpoint = {
      root: "https://mirror.example/x/v2",
      host: "mirror.example",
      namespace: "registry.example",
      headers: { A: "b" },
      tls,
    };
    const client = new RegistryClient(endpoint, "team/app", context);
    await client.get(client.urlOf("referrers/sha256:1?artifactType=x"), request);
    expect(asked[0]).toMatchObject({
      url: "https://mirror.example/x/v2/team/app/referrers/sha256:1?artifactType=x&ns=registry.example",
      headers: { A: "b" },
      tls,
      originMayBePrivate: true,
    });
  });
});
