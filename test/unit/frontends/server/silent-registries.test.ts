import { expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { type Judge, judgeReview, pinReview } from "../../../../src/frontends/server/judge-review.ts";
import type { Review } from "../../../../src/frontends/server/review.ts";
import type { HttpResponse } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import type { Network } from "../../../../src/verifier/service/network.ts";
import { ServerMemory } from "../../../../src/verifier/service/server-memory.ts";
import { Verifier } from "../../../../src/verifier/service/verifier.ts";
import { nobodies, policy } from "../../../support/deciding.ts";
import { DIGEST } from "../../../support/evidence.ts";

// The author of a pod may name any registry, also one that never answers.

const FOUND = {
  "docker-content-digest": DIGEST,
  "content-length": "7",
  "content-type": "application/vnd.oci.image.manifest.v1+json",
};

/** A server's judge, and how many requests registries got. */
function world() {
  const asked = { silent: 0 };
  const open = (): Network => ({
    http: () => async (request, deadline) => {
      const { host } = new URL(request.url);
      if (host === "registry.example")
        return { status: 200, url: request.url, headers: new Map(Object.entries(FOUND)), body: new Uint8Array() };
      // Nobody knows the signer: then the registry is asked for signatures.
      if (!host.startsWith("silent"))
        return { status: 404, url: request.url, headers: new Map(), body: new Uint8Array() };
      asked.silent++;
      return deadline.track(host, () => new Promise<HttpResponse>(() => {}));
    },
    txt: async () => [],
    environment: {},
  });
  const judged = policy(nobodies(1), {}, { scopes: [parseScope("**/*") as Scope] });
  const settings = { config: DEFAULT_CONFIG, policy: judged, environment: {}, memory: new ServerMemory() };
  const judging = { verifier: new Verifier(settings, open), policy: judged };
  const judge = {
    judgingFor: () => judging,
    inPlace: async <T>(_: Review, work: () => Promise<T>) => work(),
    answered: () => {},
    unjudged: () => {},
    warn: () => {},
    failed: (error: unknown) => expect.fail(String(error)),
  } satisfies Judge;
  const admit = (namespace: string, image: string) =>
    judgeReview(
      {
        gate: "admit",
        images: [image],
        namespace,
        unpinned: "refuse",
        deadline: new Deadline(performance.now() + 1000),
      },
      judge,
    );
  const pin = (namespace: string, images: readonly string[]) =>
    pinReview(
      { gate: "mutate", images, namespace, unpinned: "resolve", deadline: new Deadline(performance.now() + 1000) },
      judge,
    );
  return { asked, admit, pin };
}

it("registries that never answer, named in one namespace, hold up no image of another one", async () => {
  const { asked, pin } = world();
  const silent = Array.from({ length: 40 }, (_, pod) =>
    pin(
      "a",
      Array.from({ length: 8 }, (_, image) => `silent-${image % 4}.example/app:${pod}-${image}`),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  const image = "registry.example/app:v1";
  const pinned = await pin("b", [image]);
  expect(pinned.get(image)?.pinned).toBe(`${image}@${DIGEST}`);
  expect(asked.silent).toBe(32);
  const [first] = await Promise.all(silent);
  expect([...(first?.values() ?? [])].map(({ pinned: one }) => one)).toEqual(
    Array.from({ length: 8 }, () => undefined),
  );
});

it("registries are asked about digests in turns, too", async () => {
  const { asked, admit } = world();
  const silent = Array.from({ length: 40 }, (_, image) =>
    admit("a", `silent-${image % 4}.example/app@sha256:${String(image).padStart(64, "0")}`),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(asked.silent).toBe(32);
  const answers = await Promise.all(silent);
  expect(answers.flatMap((one) => [...one.values()].map(({ answer }) => answer.outcome))).not.toContain("allow");
});
