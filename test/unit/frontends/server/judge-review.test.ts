import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { formatReference, type ImageReference } from "../../../../src/core/oci/reference.ts";
import type { BreakGlassFile } from "../../../../src/core/policy/break-glass.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { decidedByName, select } from "../../../../src/core/policy/select.ts";
import { reject } from "../../../../src/core/rejection.ts";
import { type Answer, refusalOf } from "../../../../src/core/verify/answer.ts";
import { enforce } from "../../../../src/core/verify/enforce.ts";
import { judge as judgement } from "../../../../src/core/verify/judge.ts";
import {
  type AnsweredImage,
  type Judge,
  judgeReview,
  MAX_IMAGES,
  pinReview,
} from "../../../../src/frontends/server/judge-review.ts";
import type { Pin } from "../../../../src/frontends/server/pin-image.ts";
import type { Review } from "../../../../src/frontends/server/review.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import type { Session } from "../../../../src/verifier/service/session.ts";

const DIGEST = `sha256:${"1".repeat(64)}` as Digest;
const DENIED = `sha256:${"d".repeat(64)}` as Digest;
const POLICY = `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies:
  - { name: tagged, scope: "r.example/tagged", action: enforce, require: { tag: match } }
  - { name: signed, scope: "r.example/app", action: enforce }
  - { name: audited, scope: "r.example/audited", action: audit }
  - { name: exempt, scope: "r.example/exempt", action: allow }
  - { name: denied, scope: "r.example/denied", action: deny }
default: deny
`;
const SIGNED: Answer = { outcome: "allow", because: { kind: "signed", rule: "signed", signatures: [], notes: [] } };

const IN_FORCE: BreakGlassFile = {
  path: "/f",
  active: { reason: "INC", until: 1, scopes: [parseScope("r.example/**") as Scope] },
};

interface World {
  readonly policy?: string;
  /** What the verifier says where evidence decides. */
  readonly verdict?: Answer;
  /** What a registry says that a tag names. */
  readonly resolved?: Digest | Error;
  /** Of what a tag names, as the registry says it. */
  readonly mediaType?: string;
  readonly breakGlass?: BreakGlassFile;
  readonly isFull?: boolean;
  readonly review?: Partial<Review>;
}

function worldOf(images: readonly string[], world: World = {}) {
  const policy = parsePolicy(world.policy ?? POLICY, "policy.yaml");
  const log: AnsweredImage[] = [];
  const sessions: Session[] = [];
  const asked: string[] = [];
  const subjects: object[] = [];
  const verifier = {
    decideByName: (name: ImageReference) => {
      const selection = decidedByName(policy, name);
      return selection && { answer: judgement(selection), rule: selection.rule };
    },
    resolve: async (name: ImageReference, session: Session) => {
      sessions.push(session);
      asked.push(`resolve ${formatReference(name)}`);
      if (world.resolved instanceof Error) throw world.resolved;
      return { digest: world.resolved ?? DIGEST, mediaType: world.mediaType ?? "", size: 7, by: "r.example", at: 0 };
    },
    verify: async (subject: { name: ImageReference; digest: Digest; tag?: string }, session: Session) => {
      sessions.push(session);
      subjects.push(subject);
      const selection = select(policy, subject.name, subject.digest);
      const { digest, tag, name } = subject;
      if (selection.kind !== "judge") return decision(subject, judgement(selection));
      asked.push(`verify ${formatReference(name)} ${digest === DIGEST ? "it" : digest} tag ${tag ?? "none"}`);
      const verdict = world.verdict ?? SIGNED;
      return decision(subject, verdict.outcome === "allow" ? verdict : enforce(verdict as never, selection));
    },
  };
  const judge = {
    judgingFor: (review: Review) =>
      review.policy === "missing"
        ? reject("policy.invalid", "no such policy")
        : { verifier, policy, breakGlass: world.breakGlass },
    inPlace: async <T>(_: Review, work: () => Promise<T>) => (world.isFull ? undefined : work()),
    answered: (_: Review, one: AnsweredImage) => log.push(one),
    warn: () => {},
    failed: () => {},
  } as unknown as Judge;
  const deadline = new Deadline(performance.now() + 5000);
  const review: Review = { gate: "admit", images, unpinned: "refuse", deadline, ...world.review };
  return { judge, review, log, sessions, asked, subjects };
}

function decision(subject: object, answer: Answer) {
  return { answer, subject, policyHash: "", cache: "none", timings: { total: 0, services: new Map() }, warnings: [] };
}

async function judged(image: string, world: World = {}) {
  const { judge, review, log, asked, sessions, subjects } = worldOf([image], world);
  const answers = await judgeReview(review, judge);
  const { answer, digest } = answers.get(image) as AnsweredImage;
  const code = answer.outcome === "allow" ? `allow ${answer.because.kind}` : `${answer.outcome} ${answer.code}`;
  return { code, answer, digest, asked, sessions, subjects, logged: log.map((one) => one.answer === answer) };
}

const RESOLVES = { review: { unpinned: "resolve" } } as const;

describe("an image with a digest", () => {
  it("is judged by it, and has no tag, whatever is written beside it", async () => {
    const { code, asked, digest, logged } = await judged(`r.example/app:v1@${DIGEST}`);
    expect([code, digest, logged]).toEqual(["allow signed", DIGEST, [true]]);
    expect(asked).toEqual([`verify r.example/app@${DIGEST} it tag none`]);
  });

  it("is refused where the policy denies it, without a question", async () => {
    expect(await judged(`r.example/denied@${DIGEST}`)).toMatchObject({ code: "deny policy.denied", asked: [] });
  });

  it("is asked about only where network.allow lets a private address be asked", async () => {
    const { sessions } = await judged(`r.example/app@${DIGEST}`);
    expect(sessions.map(({ privateRegistry }) => privateRegistry)).toEqual(["network.allow"]);
  });
});

describe("an image with a tag", () => {
  it("is refused, and nobody is asked", async () => {
    const tagged = await judged("r.example/app:v1");
    expect(tagged).toMatchObject({ code: "deny image.not_pinned", asked: [] });
    expect("detail" in tagged.answer && tagged.answer.detail).toMatch(/^it has no digest, .* \(gate mutate\)$/);
    expect(await judged("r.example/app")).toMatchObject({ code: "deny image.not_pinned", asked: [] });
  });

  it("is let through with a warning where the rule only audits", async () => {
    const { code, answer } = await judged("r.example/audited:v1");
    expect(code).toBe("allow audited");
    expect(answer).toMatchObject({ because: { would: { code: "image.not_pinned" } } });
  });

  it("is resolved where audit or break-glass would let it through and the policy denies digests", async () => {
    const policy = `${POLICY}digests: { deny: ["${DENIED}"] }\n`;
    const denied = { policy, resolved: DENIED };
    expect((await judged("r.example/audited:v1", denied)).code).toBe("deny policy.denied");
    expect((await judged("r.example/audited:v1", { policy })).answer).toMatchObject({
      because: { kind: "audited", would: { code: "image.not_pinned" } },
    });
    expect((await judged("r.example/app:v1", { ...denied, breakGlass: IN_FORCE })).code).toBe("deny policy.denied");
    expect(await judged("r.example/app:v1", denied)).toMatchObject({ code: "deny image.not_pinned", asked: [] });
  });

  it("passes everywhere where a rule exempts it, and nobody is asked", async () => {
    expect(await judged("r.example/exempt:v1")).toMatchObject({ code: "allow exempt", asked: [] });
    expect(await judged("r.example/exempt:v1", RESOLVES)).toMatchObject({ code: "allow exempt", asked: [] });
  });

  it("is refused by a rule or the default, and nobody is asked", async () => {
    expect(await judged("r.example/denied:v1")).toMatchObject({ code: "deny policy.denied", asked: [] });
    expect(await judged("nginx", RESOLVES)).toMatchObject({ code: "deny policy.no_match", asked: [] });
  });

  it("is resolved where the policy exempts the name and denies digests", async () => {
    const policy = `${POLICY}digests: { deny: ["${DENIED}"] }\n`;
    expect((await judged("r.example/exempt:v1", { policy })).code).toBe("allow exempt");
    const denied = await judged("r.example/exempt:v1", { policy, resolved: DENIED });
    expect(denied).toMatchObject({ code: "deny policy.denied", asked: ["resolve r.example/exempt:v1"] });
  });

  it("is judged with its tag where it is resolved", async () => {
    const { code, asked, digest } = await judged("r.example/app:v1", RESOLVES);
    expect([code, digest]).toEqual(["allow signed", DIGEST]);
    expect(asked).toEqual(["resolve r.example/app:v1", "verify r.example/app:v1 it tag v1"]);
    expect((await judged("r.example/app", RESOLVES)).asked[1]).toBe("verify r.example/app:latest it tag latest");
  });

  it("is judged with the size that the registry says, and with its type where that is one of an image", async () => {
    const type = "application/vnd.oci.image.index.v1+json";
    const [typed] = (await judged("r.example/app:v1", { ...RESOLVES, mediaType: type })).subjects;
    expect(typed).toMatchObject({ digest: DIGEST, tag: "v1", size: 7, mediaType: type });
    for (const mediaType of ["", "application/octet-stream"]) {
      const [untyped] = (await judged("r.example/app:v1", { ...RESOLVES, mediaType })).subjects;
      expect(untyped).toMatchObject({ size: 7 });
      expect(untyped).not.toHaveProperty("mediaType");
    }
  });

  it("is inconclusive where it cannot be resolved, and audited where the rule only audits", async () => {
    const resolved = unreachable();
    const failing = { ...RESOLVES, resolved };
    expect((await judged("r.example/app:v1", failing)).code).toBe("inconclusive registry.unreachable");
    expect((await judged("r.example/audited:v1", failing)).code).toBe("allow audited");
  });
});

describe("break-glass", () => {
  const breakGlass = IN_FORCE;

  it("lets refused and unpinned images through, but none that is denied by name", async () => {
    const verdict = refusalOf("signature.none", "nobody");
    expect((await judged(`r.example/app@${DIGEST}`, { breakGlass, verdict })).code).toBe("allow break_glass");
    expect((await judged("r.example/app:v1", { breakGlass })).code).toBe("allow break_glass");
    expect((await judged(`r.example/denied@${DIGEST}`, { breakGlass })).code).toBe("deny policy.denied");
    expect((await judged(`other.example/app@${DIGEST}`, { breakGlass })).code).toBe("deny policy.no_match");
  });

  it("lets through a tag that cannot be resolved", async () => {
    const failing = { ...RESOLVES, resolved: unreachable() };
    const { code, answer } = await judged("r.example/app:v1", { ...failing, breakGlass });
    expect(code).toBe("allow break_glass");
    expect(answer).toMatchObject({ because: { would: { code: "registry.unreachable" } } });
  });
});

describe("the reserved name", () => {
  it("is refused at every registry, before the policy is looked at", async () => {
    for (const image of [`r.example/atcr-verify-probe/x@${DIGEST}`, "127.0.0.1:5000/atcr-verify-probe/x:1"])
      expect(await judged(image, RESOLVES)).toMatchObject({ code: "deny policy.probe", asked: [] });
  });
});

describe("a review", () => {
  it("has each different image judged once", async () => {
    const one = `r.example/app@${DIGEST}`;
    const { judge, review, log, asked } = worldOf([one, one, "r.example/exempt", one]);
    expect([...(await judgeReview(review, judge)).keys()].toSorted()).toEqual([one, "r.example/exempt"]);
    expect([asked.length, log.length]).toEqual([1, 2]);
  });

  it("gets an answer for a name that is none", async () => {
    for (const image of ["", "UPPER/case@x", `a@${DIGEST}@${DIGEST}`, "x".repeat(5000)])
      expect((await judged(image)).code).toMatch(/^deny (?:image\.malformed_reference|input\.unsupported_digest)$/);
  });

  it("lets a name that is none through only where the policy refuses nothing", async () => {
    const audit = "version: 1.0\ntrustedDIDs: {}\ndefault: audit\n";
    expect((await judged("UPPER/case", { policy: audit })).code).toBe("allow audited");
    const denying = `${audit}policies: [{ name: d, scope: "r.example/**", action: deny }]\n`;
    expect((await judged("UPPER/case", { policy: denying })).code).toBe("deny image.malformed_reference");
    const digests = `${audit}digests: { deny: ["${DENIED}"] }\n`;
    expect((await judged(`UPPER.example/case@${DENIED}`, { policy: digests })).code).toMatch(/^deny image\./);
  });

  it("refuses an object with more images than a pod has, but for those that the policy decides", async () => {
    const many = Array.from({ length: 65 }, (_, i) => `r.example/app:${i}@${DIGEST}`);
    const { judge, review, asked } = worldOf([...many, "r.example/exempt"]);
    const answers = [...(await judgeReview(review, judge)).values()];
    expect(answers.map(({ answer }) => answer.outcome)).toEqual(["allow", ...many.map(() => "deny")]);
    expect(answers[1]?.answer).toMatchObject({ code: "input.malformed" });
    expect(asked).toEqual([]);
    const few = worldOf(many.slice(1));
    await judgeReview(few.review, few.judge);
    expect(few.asked).toHaveLength(64);
    const listed = worldOf(many, { review: { gate: "verify" } });
    await judgeReview(listed.review, listed.judge);
    expect(listed.asked).toHaveLength(65);
    const tags = worldOf(many.map((image) => image.split("@")[0] ?? ""));
    expect([...(await pinReview({ ...tags.review, gate: "mutate" }, tags.judge)).values()][0]).toMatchObject({
      answer: { code: "input.malformed" },
    });
    expect([tags.asked, tags.log]).toMatchObject([[], [{ image: "r.example/app:0" }]]);
  });

  it("works on nothing after its deadline", async () => {
    const review = { deadline: new Deadline(performance.now() - 1) };
    expect(await judged(`r.example/app@${DIGEST}`, { review })).toMatchObject({
      code: "inconclusive net.deadline",
      asked: [],
    });
    expect((await judged("r.example/exempt", { review })).code).toBe("allow exempt");
  });

  it("needs no place where the policy decides, and is inconclusive where there is none", async () => {
    const isFull = true;
    expect((await judged("r.example/exempt", { isFull })).code).toBe("allow exempt");
    expect((await judged(`r.example/denied@${DIGEST}`, { isFull })).code).toBe("deny policy.denied");
    expect((await judged(`r.example/app@${DIGEST}`, { isFull })).code).toBe("inconclusive server.overloaded");
    expect((await judged(`r.example/audited@${DIGEST}`, { isFull })).code).toBe("allow audited");
  });

  it("is answered where there is no such policy, and where there are too many images", async () => {
    const review = { policy: "missing" };
    expect((await judged("r.example/exempt", { review })).code).toBe("misconfigured policy.invalid");
    const many = Array.from({ length: MAX_IMAGES + 1 }, (_, i) => `r.example/exempt:${i}`);
    const { judge, review: large, log } = worldOf(many);
    const answers = [...(await judgeReview(large, judge)).values()];
    expect(answers.every(({ answer }) => answer.outcome === "misconfigured")).toBe(true);
    expect(log.length).toBeLessThan(2);
  });
});

describe("pinning", () => {
  async function pinned(image: string, world: World = {}) {
    const { judge, review, asked, log } = worldOf([image], world);
    const { pinned: name, answer } = (await pinReview({ ...review, gate: "mutate" }, judge)).get(image) as Pin;
    const logged = log.map((one) => (one.answer.outcome === "allow" ? "" : one.answer.code));
    return { pinned: name, code: "code" in answer ? answer.code : "", asked, logged };
  }

  it("adds the digest to a name without one", async () => {
    expect(await pinned("r.example/app:v1")).toEqual({
      pinned: `r.example/app:v1@${DIGEST}`,
      code: "image.not_pinned",
      asked: ["resolve r.example/app:v1"],
      logged: [],
    });
    expect((await pinned("r.example/app")).pinned).toBe(`r.example/app:latest@${DIGEST}`);
  });

  it("leaves what has a digest, what a rule exempts or denies, and the reserved name, and nobody is asked", async () => {
    const others = [`r.example/app:v1@${DIGEST}`, "r.example/exempt:v1", "r.example/denied", "nginx", "UPPER/x"];
    for (const image of [...others, "r.example/atcr-verify-probe/x"]) {
      const { pinned: name, asked } = await pinned(image);
      expect([name, asked], image).toEqual([undefined, []]);
    }
  });

  it("leaves what cannot be resolved, and says why, in the log too", async () => {
    const down = await pinned("r.example/app:v1", { resolved: unreachable() });
    expect([down.pinned, down.code, down.logged]).toEqual([
      undefined,
      "registry.unreachable",
      ["registry.unreachable"],
    ]);
    const full = await pinned("r.example/app:v1", { isFull: true });
    expect(full).toEqual({ pinned: undefined, code: "server.overloaded", asked: [], logged: ["server.overloaded"] });
    const missing = await pinned("r.example/app:v1", { review: { policy: "missing" } });
    expect(missing).toEqual({ pinned: undefined, code: "policy.invalid", asked: [], logged: ["policy.invalid"] });
  });

  it("refuses a mistyped name as judging does: it is its author's mistake, and none of this server", async () => {
    for (const image of ["Nginx:1", "r.example/app:", `r.example/app@sha512:${"1".repeat(128)}`]) {
      const { judge, review, log } = worldOf([image]);
      await pinReview({ ...review, gate: "mutate" }, judge);
      await judgeReview(review, judge);
      const [pinning, judging] = log.map(({ answer }) => [answer.outcome, "code" in answer && answer.code]);
      expect([pinning?.[0], judging?.[0]], image).toEqual(["deny", "deny"]);
      expect(pinning, image).toEqual(judging);
    }
  });

  it("pins a tag under a rule with tag: match only where its signer put it there", async () => {
    expect((await pinned("r.example/tagged:v1")).pinned).toBe(`r.example/tagged:v1@${DIGEST}`);
    const moved = await pinned("r.example/tagged:v1", { verdict: refusalOf("tag.mismatch", "moved") });
    expect([moved.pinned, moved.code]).toEqual([undefined, "tag.mismatch"]);
    expect(moved.asked[1]).toBe("verify r.example/tagged:v1 it tag v1");
  });
});

function unreachable(): Error {
  try {
    reject("registry.unreachable", "down");
  } catch (error) {
    return error as Error;
  }
}
