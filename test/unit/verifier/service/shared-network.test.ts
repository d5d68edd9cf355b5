import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import type { Warning } from "../../../../src/core/warning.ts";
import { HttpFailure, type HttpRequest, type HttpResponse } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { HostLimits } from "../../../../src/verifier/service/host-limits.ts";
import { SharedNetwork } from "../../../../src/verifier/service/shared-network.ts";

const REQUEST: HttpRequest = {
  url: "https://registry.example/v2/app/referrers/x",
  accept: "application/json",
  maxBytes: 1000,
  timeout: 5000,
  maxRedirects: 0,
  originMayBePrivate: false,
  purpose: "registry",
};
const WARNING: Warning = { code: "authority.unusable", message: "this one" };

/** A network that answers when it is told to. */
class Upstream {
  readonly sent: { readonly request: HttpRequest; readonly deadline: Deadline }[] = [];
  readonly lookUps: string[] = [];
  readonly #answers: PromiseWithResolvers<HttpResponse>[] = [];
  readonly network = new SharedNetwork(
    {
      http: (warn) => async (request, deadline) => {
        this.sent.push({ request, deadline });
        warn(WARNING);
        const answer = Promise.withResolvers<HttpResponse>();
        this.#answers.push(answer);
        return answer.promise;
      },
      txt: async ({ name }) => {
        this.lookUps.push(name);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return [name];
      },
      environment: {},
    },
    DEFAULT_CONFIG,
    new HostLimits(),
  );

  /** @param changes to the request */
  ask(changes: Partial<HttpRequest> = {}, time = 8000, asker?: string) {
    const warnings: Warning[] = [];
    const joined: string[] = [];
    const client = this.network.http(
      (warning) => warnings.push(warning),
      (purpose) => joined.push(purpose),
      asker,
    );
    const response = client({ ...REQUEST, ...changes }, new Deadline(performance.now() + time));
    response.catch(() => {});
    return { response, warnings, joined };
  }

  async answer(outcome: Uint8Array | HttpFailure = new Uint8Array(3)): Promise<void> {
    // Until each has been sent.
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const { resolve, reject } of this.#answers.splice(0)) {
      if (outcome instanceof HttpFailure) reject(outcome);
      else resolve({ status: 200, url: REQUEST.url, headers: new Map(), body: outcome });
    }
  }
}

describe("requests that are shared", () => {
  it("are the same in all but their time, and have the configured one", async () => {
    const upstream = new Upstream();
    const asked = [upstream.ask({ timeout: 100 }), upstream.ask({}, 50), upstream.ask()];
    await upstream.answer();
    const [first, ...others] = await Promise.all(asked.map(({ response }) => response));
    for (const other of others) expect(other.body).toBe(first?.body);
    expect(asked.map(({ joined }) => joined)).toEqual([[], ["registry"], ["registry"]]);
    expect(upstream.sent).toHaveLength(1);
    expect(upstream.sent[0]?.request.timeout).toBe(DEFAULT_CONFIG.registryTimeout);
    expect(upstream.sent[0]?.deadline.remaining()).toBeGreaterThan(DEFAULT_CONFIG.registryTimeout - 1000);
  });

  it.each<[string, Partial<HttpRequest>]>([
    ["URL", { url: "https://registry.example/v2/other" }],
    ["method", { method: "HEAD" }],
    ["Accept", { accept: "*/*" }],
    ["credentials", { headers: { Authorization: "Bearer x" } }],
    ["form", { form: { refresh_token: "x" } }],
    ["limit of bytes", { maxBytes: 9 }],
    ["limit of redirects", { maxRedirects: 1 }],
    ["right to a private address", { originMayBePrivate: true }],
    ["TLS settings", { tls: { skipVerify: true } }],
    ["secrets", { secrets: [{ form: { token: "x" } }] }],
  ])("are not those with another %s", async (_, changes) => {
    const upstream = new Upstream();
    const asked = [upstream.ask(), upstream.ask(changes)];
    await upstream.answer();
    await Promise.all(asked.map(({ response }) => response));
    expect(upstream.sent).toHaveLength(2);
  });

  it("are not what is stored", async () => {
    const upstream = new Upstream();
    const upload = { method: "PUT", bytes: new Uint8Array(1), type: "x" } as const;
    const asked = [upstream.ask({ upload }), upstream.ask({ upload })];
    await upstream.answer();
    await Promise.all(asked.map(({ response }) => response));
    expect(upstream.sent).toHaveLength(2);
  });

  it("fail for all who wait, each with the warnings, and are sent again for the next", async () => {
    const upstream = new Upstream();
    const asked = [upstream.ask(), upstream.ask()];
    const failure = new HttpFailure("unreachable", "down");
    await upstream.answer(failure);
    for (const { response, warnings } of asked) {
      await expect(response).rejects.toBe(failure);
      expect(warnings).toEqual([WARNING]);
    }
    const again = upstream.ask();
    await upstream.answer();
    expect((await again.response).status).toBe(200);
    expect(upstream.sent).toHaveLength(2);
  });

  it("go on where one who waits has no time left", async () => {
    const upstream = new Upstream();
    const [hasty, patient] = [upstream.ask({}, 20), upstream.ask()];
    const late = { kind: "timeout", message: expect.stringMatching(/^registry registry\.example: no answer in time/) };
    await expect(hasty.response).rejects.toMatchObject(late);
    await upstream.answer();
    expect((await patient.response).status).toBe(200);
    expect(upstream.sent).toHaveLength(1);
  });

  it("wait for their turn as long as there is time at all, and then have their own", async () => {
    const upstream = new Upstream();
    for (let i = 0; i < 32; i++) upstream.ask({ accept: String(i) });
    const [hasty, patient] = [upstream.ask({ timeout: 30 }, 60), upstream.ask({ timeout: 30 })];
    const late = "registry registry.example: not asked, as too many requests are under way";
    await expect(hasty.response).rejects.toMatchObject({ kind: "timeout", message: late });
    expect(upstream.sent).toHaveLength(32);
    await upstream.answer();
    await upstream.answer();
    expect((await patient.response).status).toBe(200);
    expect(upstream.sent).toHaveLength(33);
  });

  it("are not sent where nobody waits any more when it is their turn", async () => {
    const upstream = new Upstream();
    for (let i = 0; i < 32; i++) upstream.ask({ accept: String(i) });
    await expect(upstream.ask({}, 20).response).rejects.toMatchObject({ kind: "timeout" });
    await upstream.answer();
    await upstream.answer();
    expect(upstream.sent).toHaveLength(32);
    expect(upstream.network.underWay).toBe(0);
  });

  it("are neither sent nor joined where no time is left", async () => {
    const upstream = new Upstream();
    const late = { kind: "timeout", message: "registry registry.example: not asked, as no time is left" };
    await expect(upstream.ask({}, 0).response).rejects.toMatchObject(late);
    expect([upstream.sent, upstream.network.underWay]).toEqual([[], 0]);
    const underWay = upstream.ask();
    const tooLate = upstream.ask({}, -1);
    await expect(tooLate.response).rejects.toMatchObject(late);
    expect(tooLate.joined).toEqual([]);
    await upstream.answer();
    expect((await underWay.response).status).toBe(200);
  });

  it.each(["registry", "token server", "handle"])(
    "of a %s, as an image's name chose it, share the places of all",
    async (purpose) => {
      const upstream = new Upstream();
      for (let i = 0; i < 8; i++)
        for (let j = 0; j < 20; j++)
          upstream.ask({ purpose: purpose as HttpRequest["purpose"], url: `https://h${i}.example/${j}` }, 8000, `${i}`);
      upstream.ask({ purpose: "PDS", url: "https://pds.example/" });
      await new Promise((resolve) => setTimeout(resolve, 5));
      const purposes = upstream.sent.map(({ request }) => request.purpose);
      expect([
        purposes.filter((one) => one === purpose).length,
        purposes.filter((one) => one === "PDS").length,
      ]).toEqual([128, 1]);
    },
  );

  it("that wait in one asker's share begin when another one joins them", async () => {
    const upstream = new Upstream();
    for (let i = 0; i < 40; i++) upstream.ask({ url: `https://h${i % 2}.example/${i}` }, 8000, "a");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(upstream.sent).toHaveLength(32);
    const joining = upstream.ask({ url: "https://h0.example/38" }, 8000, "b");
    await upstream.answer();
    expect((await joining.response).status).toBe(200);
    expect(joining.joined).toEqual(["registry"]);
    expect(upstream.sent[32]?.request.url).toBe("https://h0.example/38");
  });

  it("are lookups in DNS, too", async () => {
    const { network, lookUps } = new Upstream();
    const look = (name: string) => network.txt({ name, timeout: 5000 }, new Deadline(performance.now() + 5000));
    expect(await Promise.all(["a", "a", "b"].map(look))).toEqual([["a"], ["a"], ["b"]]);
    expect(lookUps).toEqual(["a", "b"]);
    await look("a");
    expect(lookUps).toHaveLength(3);
  });

  it("in DNS are neither sent nor joined where no time is left", async () => {
    const { network, lookUps } = new Upstream();
    const late = network.txt({ name: "a", timeout: 5000 }, new Deadline(performance.now()));
    await expect(late).rejects.toMatchObject({ kind: "timeout", message: "DNS a: not asked, as no time is left" });
    expect([lookUps, network.underWay]).toEqual([[], 0]);
  });
});
