import { describe, expect, it } from "vitest";
import { refusalMessage, unpinnedWarnings, warningOf, warningsOf } from "../../../../src/core/admission/answer-text.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import type { Answer } from "../../../../src/core/verify/answer.ts";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import { ABSENT, AUDITED, digestOf, SIGNED, SILENT } from "../../../support/image-results.ts";
import { imageAnswer } from "../../../support/recorded-admission/recorded-request.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const images = (count: number) => Array.from({ length: count }, (_, i) => `atcr.io/a/b:${i}`);
const refused = (image: string, detail: string) => imageAnswer(image, { ...ABSENT, detail });
const audited = (image: string, detail: string) =>
  imageAnswer(image, { outcome: "allow", because: { kind: "audited", rule: "prod", would: { ...ABSENT, detail } } });
/** 100 characters and a digest. */
const USUAL = `${"registry.example.com/team-payments/".padEnd(90, "checkout-")}:2026.11.3@${digestOf("a1")}`;
const USUAL_SHOWN = USUAL.replace(/(a1){26}$/, "...");
/** As the policy says it of an image that no rule covers. */
const uncovered = (image: string, name: string) =>
  imageAnswer(image, refusalOf("policy.no_match", `no rule covers ${name} and the default is deny`));
const sidecar = (i: number) => {
  const name = `registry.example.com/team-payments/checkout-sidecar-${i}`;
  return uncovered(`${name}:1.4.${i}@${digestOf("a1")}`, name);
};
const shownSidecar = (i: number) =>
  `registry.example.com/team-payments/checkout-sidecar-${i}:1.4.${i}@sha256:a1a1a1a1a1a1...`;

describe("the message of a refusal", () => {
  it("says a reason once, with all the images that it holds for", () => {
    const message = refusalMessage(Array.from({ length: 7 }, (_, i) => sidecar(i)));
    const list = Array.from({ length: 7 }, (_, i) => shownSidecar(i)).join(", ");
    expect(message).toBe(`policy.no_match ${list}: no rule covers this image and the default is deny`);
  });

  it("names as many images as fit, and says how many more there are", () => {
    const message = refusalMessage(Array.from({ length: 70 }, (_, i) => sidecar(i)));
    const list = Array.from({ length: 10 }, (_, i) => shownSidecar(i)).join(", ");
    expect(message).toBe(`policy.no_match ${list} and 60 more: no rule covers this image and the default is deny`);
    const last = refusalMessage([refused("r.example/a", "x".repeat(2000)), refused("b", "x".repeat(2000))]);
    expect(last).toMatch(/^signature\.none r\.example\/a, b: x+\.\.\.$/);
  });

  it("has a line for each reason, and counts the images of those without room", () => {
    const detail = (i: number) => `https://pds${i}.example.com did not answer within the time that was left for it`;
    const answers = images(70).map((image, i) => refused(image, detail(i)));
    const lines = refusalMessage([...answers, refused("atcr.io/a/c", detail(69))]).split("\n");
    expect(lines.slice(0, -1)).toEqual(
      images(lines.length - 1).map((image, i) => `signature.none ${image}: ${detail(i)}`),
    );
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toBe("and 62 more");
  });

  it.each([
    ["(3 attempts in 0.7 s)", "(1 attempt in 12 s)", true],
    ["no answer (after 0.7 s)", "no answer (after 1.0 s)", true],
    ["it has 3 signatures", "it has 2 signatures", false],
    ["a0.7 s", "b0.7 s", false],
    ["1.7 stones", "2.7 stones", false],
  ])("takes reasons for one that differ only in what was measured: %s and %s", (first, second, isOne) => {
    expect(refusalMessage([refused("r/a", first), refused("r/b", second)])).toBe(
      isOne ? `signature.none r/a, r/b: ${first}` : `signature.none r/a: ${first}\nsignature.none r/b: ${second}`,
    );
  });

  it("takes two codes with one reason for two, the worst first", () => {
    const detail = "it is so";
    const answers = [
      imageAnswer("r/a", { ...SILENT, detail } as Answer),
      refused("r/b", detail),
      refused("r/c", detail),
    ];
    expect(refusalMessage([imageAnswer("r/d", SIGNED), ...answers])).toBe(
      `signature.none r/b, r/c: ${detail}\npds.unreachable r/a: ${detail}`,
    );
  });

  it.each([1, 2, 3, 4, 10, 1000])("of %d reasons has at most 1 KiB, and a share for each", (count) => {
    const answers = images(count).map((image, i) => refused(image, `${i}${"x".repeat(5000)}`));
    const text = refusalMessage(answers);
    expect(text.length).toBeLessThanOrEqual(1024);
    expect(text.length).toBeGreaterThan(980);
    const lines = text.split("\n");
    expect(lines).toHaveLength(count <= 3 ? count : 4);
    for (const line of lines.slice(0, 3))
      expect(line).toMatch(/^signature\.none atcr\.io\/a\/b:(\d+): \1x{200,}\.\.\.$/);
    if (count > 3) expect(lines.at(-1)).toBe(`and ${count - 3} more`);
  });

  it.each([2, 1000])(
    "of %d images with one long reason leaves half to their names, which is enough for one",
    (count) => {
      const names = images(count).map((image) => image.padEnd(120, "a"));
      const long = (given: readonly string[]) => refusalMessage(given.map((image) => refused(image, "x".repeat(5000))));
      expect(long(names)).toHaveLength(1000 - "\n".length);
      const list = count === 2 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and 997 more`;
      expect(long(names)).toContain(`signature.none ${list}: ${"x".repeat(500)}`);
    },
  );

  it("names all images where they fit, though not with a count after the last but one", () => {
    const names = [128, 128, 128, 97, 1].map((length) => "a".repeat(length));
    const text = refusalMessage(names.map((image) => refused(image, "x".repeat(5000))));
    expect(text).toContain(`signature.none ${names.join(", ")}: x`);
  });

  it("shares what is free between the reasons", () => {
    const [first = "", second = ""] = refusalMessage(
      ["r/a", "r/b"].map((image) => refused(image, `${image}${"x".repeat(5000)}`)),
    ).split("\n");
    expect(Math.abs(first.length - second.length)).toBeLessThanOrEqual(1);
    const short = refusalMessage([refused("r/a", "it is so"), refused("r/b", "x".repeat(5000))]);
    expect(short).toHaveLength(1000 - "\n".length);
  });

  it("is whole up to its last character", () => {
    const whole = refusalMessage([refused("atcr.io/a/b", "x")]);
    const most = refusalMessage([refused("atcr.io/a/b", "x".repeat(5000))]).length;
    const fill = most - whole.length + 1;
    expect(refusalMessage([refused("atcr.io/a/b", "x".repeat(fill))])).toBe(whole.slice(0, -1) + "x".repeat(fill));
    expect(refusalMessage([refused("atcr.io/a/b", "x".repeat(fill + 1))])).toMatch(/xxx\.\.\.$/);
  });

  it("is printable, with a line break and a run of spaces only of its own", () => {
    const message = refusalMessage([refused("atcr.io/a/b:0", `a\nb\u001b[31m${" ".repeat(80)}c`)]);
    expect(message).toBe("signature.none atcr.io/a/b:0: a?b?[31m c");
  });
});

describe("code, image and reason", () => {
  it("all stay, of a name of usual length, however long the reason is", () => {
    const detail = `the PLC directory did not answer${"x".repeat(5000)}`;
    const begin = `signature.none ${USUAL_SHOWN}: the PLC directory did not answer`;
    expect(refusalMessage([1, 2, 3].map((i) => refused(USUAL, `${detail}${i}`)))).toContain(begin);
    const [warning = ""] = warningsOf([audited(USUAL, detail)]);
    expect(warning.startsWith(`atcr-verify would refuse this: ${begin}`)).toBe(true);
    expect(warning).toHaveLength(250);
    const [unpinned] = unpinnedWarnings([refused(USUAL, detail)]);
    expect(unpinned).toContain(`could not pin ${USUAL_SHOWN}: signature.none: the PLC directory did not answer`);
  });

  it("stay with a name that is too long, which is cut", () => {
    const long = `atcr.io/${"a".repeat(400)}`;
    const shown = `${long.slice(0, 125)}...`;
    expect(refusalMessage([refused(long, "it is so")])).toBe(`signature.none ${shown}: it is so`);
    expect(warningsOf([audited(long, "it is so")])).toEqual([
      `atcr-verify would refuse this: signature.none ${shown}: it is so`,
    ]);
  });

  it("are shown with short digests, also in the reason, and with whole tags", () => {
    const other = digestOf("b2");
    expect(refusalMessage([refused(`r.example/app:v1@${digestOf("a1")}`, `a record names ${other}.`)])).toBe(
      "signature.none r.example/app:v1@sha256:a1a1a1a1a1a1...: a record names sha256:b2b2b2b2b2b2....",
    );
    for (const image of [
      `r.example/app:${"a".repeat(64)}`,
      `r.example/app@sha256:${"a".repeat(12)}`,
      `r.example/a@${other}0`,
    ]) {
      expect(refusalMessage([refused(image, "it is so")])).toBe(`signature.none ${image}: it is so`);
    }
  });

  it.each([
    ["the name of the repository", "no rule covers r.example/app, really", "no rule covers this image, really"],
    ["it more than once", "r.example/app is r.example/app", "this image is this image"],
    ["it in quotation marks", 'not "r.example/app"', 'not "this image"'],
    [
      "a longer name",
      "r.example/app/b, r.example/apps, a/r.example/app",
      "r.example/app/b, r.example/apps, a/r.example/app",
    ],
    ["the name as it was written", 'the image name "r.example/app:v1" is odd', "this name is odd"],
  ])("do not repeat the name: %s", (_, detail, shown) => {
    expect(refusalMessage([refused("r.example/app:v1", detail)])).toBe(`signature.none r.example/app:v1: ${shown}`);
  });

  it("leave words alone that are a name without a host", () => {
    expect(refusalMessage([refused("a:1", "a rule")])).toBe("signature.none a:1: a rule");
  });
});

describe("an image's author", () => {
  it.each([
    ["a reason", "r.example/a: signed; policy.no_match r.example/b: no rule"],
    ["another image", "r.example/a, r.example/b"],
    ["a count", "r.example/a and 3 more: it is so"],
    ["a line", "r.example/a:1\nsignature.none r.example/b: it is so"],
    ["a reason in what a message repeats", 'r.example/a:1", expected 2; policy.no_match r.example'],
    ["a reason in a path", 'r.example/"; policy.no_match r.example/b'],
    ["a reason in a host", 'r.ex"; policy.no_match r.example/b'],
    ["a reason in a digest", 'r.example/b@sha256:00"; policy.no_match r.example'],
    ["a reason in a long name", `r.example/"; policy.no_match r.example/${"b".repeat(2000)}`],
    ["a reason in one part of many", `r.ex"; policy.no_match r.example${":b c d".repeat(17)}/b`],
    ["a reason in words with dollar signs", "r.example/$& policy.no_match r.example/b"],
  ])("cannot write %s", (_, image) => {
    const { code, message } = rejectionOf(() => parseReference(image));
    const answer = refusalOf(code, message);
    const [line = "", ...more] = refusalMessage([imageAnswer(image, answer)]).split("\n");
    expect(more).toEqual([]);
    const [, name = "", reason = ""] =
      /^image\.malformed_reference (\S+): (this.name.cannot.be.used:.*)$/.exec(line) ?? [];
    expect(name).toMatch(/^r\.ex[\w.\-/:@?]+$/);
    expect(reason).not.toMatch(/policy\.no_match r|signature\.none r|more: |, r\.example|3 more/);
  });

  it.each([
    [16, "b?c? x is no name"],
    [17, "b?c??x?is?no?name"],
  ])("has %d odd parts replaced alone, else all of the reason", (count, shown) => {
    const image = `r/${Array(count).fill("b c ").join(":")}`;
    expect(refusalMessage([refused(image, "b c  x is no name")])).toMatch(
      new RegExp(`: ${shown.replaceAll("?", "\\?")}$`),
    );
  });

  it("has no part replaced that is too short for words, or a word", () => {
    expect(refusalMessage([refused("r/a b:name", "a b is no name")])).toMatch(/: a b is no name$/);
  });
});

describe("warnings", () => {
  const glass = {
    outcome: "allow",
    because: { kind: "break_glass", reason: "PLC is down", until: 0, would: SILENT },
  } as const;

  it("are of audited images and of break-glass, and of no others", () => {
    expect(warningsOf([imageAnswer("r/a", AUDITED), imageAnswer("r/b", SIGNED), imageAnswer("r/c", glass)])).toEqual([
      "atcr-verify would refuse this: signature.none r/a: no trusted signer has signed this digest",
      "atcr-verify BREAK-GLASS IS ACTIVE: pds.unreachable r/c: https://pds.example.com did not answer",
    ]);
  });

  it("are as many as fit in half of what the API server takes; the last counts the others", () => {
    const warnings = (count: number, detail: string) =>
      warningsOf(images(count).map((image) => audited(image, detail)));
    expect(warnings(8, "x".repeat(5000)).map(({ length }) => length)).toEqual(Array(8).fill(250));
    const nine = warnings(9, "x".repeat(5000));
    expect(nine).toHaveLength(9);
    expect(nine.at(-1)).toBe("atcr-verify would refuse 1 more");
    const short = warnings(1000, "it is so");
    expect(short.join("").length).toBeLessThanOrEqual(2048);
    expect(short.join("").length).toBeGreaterThan(2048 - 100);
    expect(short.at(-1)).toBe(`atcr-verify would refuse ${1000 - short.length + 1} more`);
    const unpinned = unpinnedWarnings(images(20).map((image) => refused(image, "x".repeat(5000))));
    expect(unpinned).toHaveLength(9);
    expect(unpinned.at(-1)).toBe("atcr-verify could not pin 12 more");
  });

  it("of an object that cannot be judged have the reason, within the bound", () => {
    expect(warningOf("input.malformed: a\nb")).toBe("atcr-verify would refuse this: input.malformed: a?b");
    expect(warningOf("x".repeat(5000))).toHaveLength(250);
  });
});
