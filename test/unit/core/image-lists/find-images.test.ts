// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the files that are read
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { findImages, MAX_IMAGE_FILE } from "../../../../src/core/image-lists/find-images.ts";
import { MAX_IMAGE_TEXT, MAX_IMAGES } from "../../../../src/core/image-lists/found-image.ts";
import { codeOf, rejectionOf } from "../../../support/rejection.ts";

const STDIN = "standard input";

function found(text: string, file = STDIN): string[] {
  return findImages(toUtf8(text), file).images.map(({ text: image, line, kind, problem }) => {
    return `${line} ${kind} ${image}${problem === undefined ? "" : " !"}`;
  });
}

function codeFor(content: string | Uint8Array, file = STDIN): string {
  return codeOf(() => findImages(typeof content === "string" ? toUtf8(content) : content, file));
}

describe("findImages", () => {
  it("tells YAML, JSON, a Dockerfile and a list apart by what is in them", () => {
    expect(found("---\nimage: a/b:1\n")).toEqual(["2 YAML a/b:1"]);
    expect(found('{"kind": "Pod", "apiVersion": "v1",\n"image":"a/b:1"}')).toEqual(["2 manifest a/b:1"]);
    expect(found("# c\nFROM a/b:1\n")).toEqual(["2 FROM a/b:1"]);
    expect(found("arg x=a/b:1\nfrom $x\n")).toEqual(["2 FROM a/b:1"]);
    expect(found("a/b:1\n\n# c\n  c/d@sha256:1 # e\r\nnginx\n")).toEqual([
      "1 list a/b:1",
      "4 list c/d@sha256:1",
      "5 list nginx",
    ]);
  });

  it.each(["Dockerfile", "x/Containerfile", "Dockerfile.dev", "app.Dockerfile", "app.dockerfile"])(
    "takes %s for a Dockerfile whatever it says",
    (file) => {
      expect(found('FROM a/b:1\nLABEL a="b: c"\n', file)).toEqual(["1 FROM a/b:1"]);
      expect(codeFor("kind: Pod\nimage: a\n", file)).toBe("input.malformed");
    },
  );

  it.each(["a.yaml", "a.yml", "a.json", "Dockerfile.yaml"])("takes %s for YAML whatever it says", (file) => {
    expect(found("FROM x: y\nimage: a/b:1\n", file)).toEqual(["2 YAML a/b:1"]);
    expect(codeFor("FROM a/b:1\n", file)).toBe("input.no_images");
  });

  // Valid as a Dockerfile, where a heredoc hides the pod, and as a pod, where a quote hides the instructions.
  it("rejects a text that could be a Dockerfile to one program and a resource to another", () => {
    const text = 'ARG a=": "\n FROM good:1\n RUN <<...\n "\nkind: Pod\nspec: {image: evil}\n...\n';
    expect(codeFor(text)).toBe("input.malformed");
    expect(found(text, "a.yaml")).toEqual(["6 YAML evil"]);
    expect(found(text, "Dockerfile")).toEqual(["2 FROM good:1"]);
    expect(codeFor('ARG a={"image":"evil"}\nFROM good:1')).toBe("input.malformed");
  });

  // To YAML each of them is something other than plain text, or the next line may be.
  it.each(["- a/b:1\n", "{a/b:1\n", "a/b:1\nb:\n", "a/b:1 c\n", "'a/b:1'\n", "---\na/b:1\n", "&a a/b:1\n", "? a\n"])(
    "does not take for a list what YAML could see more in: %j",
    (text) => {
      expect(["input.no_images", "input.malformed"]).toContain(codeFor(text));
    },
  );

  it("marks what cannot be read as a reference, and skips nothing", () => {
    expect(found("a/b:${TAG}\na/{{b}}\na/b:1\n")).toEqual(["1 list a/b:${TAG} !", "2 list a/{{b}} !", "3 list a/b:1"]);
  });

  it.each([
    "",
    "# nothing\n",
    "kind: Service\napiVersion: v1\n",
    "FROM scratch\n",
    "image\n---\n",
    "a: |\n  image: b\n",
  ])("rejects a file that names no image", (text) => {
    expect(codeFor(text)).toBe("input.no_images");
  });

  it("reads a byte order mark at the beginning and lines that end with CRLF", () => {
    expect(found("\ufeffimage: a/b:1\r\nb:\r\n  image: c:2\r\n")).toEqual(["1 YAML a/b:1", "3 YAML c:2"]);
    expect(found("\ufeffFROM a/b:1\r\nRUN x \\\r\n y\r\nFROM c:2\r\n")).toEqual(["1 FROM a/b:1", "4 FROM c:2"]);
    expect(found("\ufeffa/b:1\r\nc:2\r\n")).toEqual(["1 list a/b:1", "2 list c:2"]);
  });

  // In YAML 1.1, and to many programs, each of them ends a line or a text.
  it.each(["\0", "\r", "\x1b", "\x7f", "\u0085", "\u2028", "\u2029", "\ufeff", "\u202e"])(
    "rejects the character %j, which programs read differently",
    (character) => {
      expect(codeFor(`a: 1\nimage: a/b:1\n# c${character}image: evil\n`)).toBe("input.malformed");
      expect(codeFor(`FROM a/b:1\n# c${character}FROM evil\n`)).toBe("input.malformed");
      expect(codeFor(`a/b:1\n# c${character}evil\n`)).toBe("input.malformed");
    },
  );

  it("rejects bytes that are not UTF-8", () => {
    expect(codeFor(Uint8Array.from([0x61, 0xff, 0x0a]))).toBe("input.malformed");
    for (const mark of [
      [0xff, 0xfe],
      [0xfe, 0xff],
    ]) {
      expect(rejectionOf(() => findImages(Uint8Array.from([...mark, 0x61, 0x00]), STDIN)).message).toContain("UTF-16");
    }
  });

  it("rejects a file that is too large, and one of too many images", () => {
    expect(codeFor(new Uint8Array(MAX_IMAGE_FILE + 1).fill(0x20))).toBe("input.malformed");
    expect(codeFor(new Uint8Array(MAX_IMAGE_FILE).fill(0x20))).toBe("input.no_images");
    expect(findImages(toUtf8("a\n".repeat(MAX_IMAGES)), STDIN).images).toHaveLength(MAX_IMAGES);
    expect(codeFor("a\n".repeat(MAX_IMAGES + 1))).toBe("input.malformed");
  });

  it("repeats no more of a text than the longest name has", () => {
    const [image] = findImages(toUtf8(`a/${"b".repeat(1_000_000)}\n`), STDIN).images;
    expect(image?.text).toHaveLength(MAX_IMAGE_TEXT);
    expect(image?.problem).toBeDefined();
  });
});
