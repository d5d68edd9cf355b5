import { describe, expect, it } from "vitest";
import { reject } from "../../../../../src/core/rejection.ts";
import { type FileState, LastGood } from "../../../../../src/frontends/server/settings/last-good.ts";

/** What is read next; the last one again and again. */
class Files {
  readonly reports: string[] = [];
  parsed = 0;
  readonly #next: string[] = [];
  #last = "1";
  readonly setting = new LastGood(
    {
      subject: { what: "policy", name: "a" },
      read: () => {
        this.#last = this.#next.shift() ?? this.#last;
        return this.#last === "absent" ? reject("policy.invalid", "absent") : { text: this.#last };
      },
      parse: ({ text }) => {
        this.parsed++;
        return text === "broken" ? reject("policy.invalid", "broken") : Number(text);
      },
      meanwhile: "it stays",
    },
    ({ ok }: FileState, message) => this.reports.push(`${ok} ${message}`),
  );

  poll(now: number, ...next: readonly string[]): boolean {
    this.#next.push(...next);
    return this.setting.poll(now);
  }
}

describe("LastGood", () => {
  it("parses what changed, and gives the same value otherwise", () => {
    const files = new Files();
    expect([files.poll(1), files.setting.value, files.parsed]).toEqual([true, 1, 1]);
    expect([files.poll(2), files.setting.value, files.parsed]).toEqual([false, 1, 1]);
    expect([files.poll(3, "2"), files.setting.value, files.parsed]).toEqual([true, 2, 2]);
    expect(files.setting.state).toEqual({ what: "policy", name: "a", ok: true, since: 1 });
    expect(files.reports).toEqual(["true policy a: was read again"]);
  });

  it("stays at what was valid, and reports each change once", () => {
    const files = new Files();
    files.poll(1);
    for (const now of [2, 3, 4]) expect([files.poll(now, "broken"), files.setting.value]).toEqual([false, 1]);
    expect(files.parsed).toBe(2);
    expect(files.setting.state).toMatchObject({ ok: false, since: 2 });
    for (const now of [5, 6]) files.poll(now, "absent");
    expect(files.setting.state).toMatchObject({ ok: false, since: 2 });
    expect([files.poll(7, "1"), files.setting.value]).toEqual([false, 1]);
    expect(files.setting.state).toMatchObject({ ok: true, since: 7 });
    expect([files.poll(8, "broken"), files.poll(9, "3"), files.setting.value]).toEqual([false, true, 3]);
    expect(files.reports).toEqual([
      "false policy a: broken; it stays",
      "false policy a: absent; it stays",
      "true policy a: is valid again, as before",
      "false policy a: broken; it stays",
      "true policy a: was read again",
    ]);
  });

  it("has no value until the files were valid once", () => {
    const files = new Files();
    files.poll(1, "broken");
    expect(files.setting.isKnown).toBe(false);
    expect(() => files.setting.value).toThrow("broken");
    expect(files.reports).toEqual(["false policy a: broken"]);
    expect([files.poll(2, "4"), files.setting.isKnown, files.setting.value]).toEqual([true, true, 4]);
    expect(() => new Files().setting.value).toThrow("read before the first poll");
  });

  it("takes nothing that is not the same twice", () => {
    const files = new Files();
    files.poll(1);
    expect([files.poll(2, "absent", "2", "3", "3"), files.setting.value]).toEqual([true, 3]);
    expect([files.poll(3, "4", "5", "6", "7", "8"), files.setting.value]).toEqual([false, 3]);
    expect(files.reports.at(-1)).toBe("false policy a: the files change while they are read; it stays");
  });

  it("hides no mistake of the program", () => {
    const setting = new LastGood(
      { subject: { what: "configuration" }, read: () => "", parse: () => expect.fail("a bug"), meanwhile: "" },
      () => {},
    );
    expect(() => setting.poll(1)).toThrow("a bug");
  });
});
