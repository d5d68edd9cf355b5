// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the files that are read
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { findImages } from "../../../../src/core/image-lists/find-images.ts";
import { codeOf } from "../../../support/rejection.ts";

const read = (text: string) => findImages(toUtf8(text), "Dockerfile");

function found(text: string): string[] {
  return read(text).images.map(({ text: image, line, kind, problem }) => {
    return `${line} ${kind} ${image}${problem === undefined ? "" : " !"}`;
  });
}

const codeFor = (text: string): string => codeOf(() => read(text));

describe("findInDockerfile", () => {
  it("finds FROM, COPY --from, RUN --mount and # syntax", () => {
    const text = `# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM a/b:1 AS build
RUN --mount=type=cache,target=/x --mount=type=bind,from=c/d:1,target=/y make
COPY --link --from=e/f:1 /a /b
`;
    expect(found(text)).toEqual([
      "1 syntax docker/dockerfile:1",
      "2 FROM a/b:1",
      "3 RUN --mount c/d:1",
      "4 COPY --from e/f:1",
    ]);
  });

  it("takes stages by name and number, and scratch, for no images, and counts them", () => {
    const text = `FROM a:1 AS Base
FROM base
COPY --from=BASE /a /b
COPY --from=0 /a /b
RUN --mount=from=base,target=/x make
FROM scratch
COPY --from=scratch /a /b
`;
    const { images, passedOver } = read(text);
    expect(images.map((image) => image.text)).toEqual(["a:1"]);
    expect(passedOver).toMatchObject({ stages: 4, scratch: 2 });
  });

  it.each([
    ["a stage that begins below", "FROM a:1\nCOPY --from=b /x /y\nFROM c:1 AS b\n"],
    ["the number of no stage", "FROM a:1\nCOPY --from=7 /x /y\n"],
    ["a number in a mount", "FROM a:1\nRUN --mount=from=0,target=/x y\n"],
    ["a variable in COPY --from", "ARG X=b\nFROM a:1\nCOPY --from=$X /x /y\n"],
    ["a variable in a mount", "ARG X=b\nFROM a:1\nRUN --mount=from=${X},target=/x y\n"],
    ["an argument without default", "ARG X\nFROM a:$X\n"],
    ["an argument that is set below FROM", "FROM a:1\nARG X=1\nFROM b:$X\n"],
    ["a variable of the platform", "FROM a:$TARGETARCH\n"],
    ["an argument of unknown arguments", "ARG X\nARG Y=$X\nFROM a:$Y\n"],
    ["a pattern", "ARG X=ab\nFROM ${X#a}\n"],
    ["an open quote", "FROM 'a:1\n"],
    ["an empty name", 'FROM ""\n'],
    ["FROM with more words", "FROM a:1 b\n"],
    ["FROM without words", "FROM\n"],
    ["a flag without value", "FROM a:1\nCOPY --from /x /y\n"],
    ["a template", "FROM {{x}}\n"],
  ])("marks %s, and skips nothing", (_, text) => {
    const marked = read(text).images.filter(({ problem }) => problem !== undefined);
    expect(marked).toHaveLength(1);
  });

  it.each([
    ["ARG A=a:1\nFROM $A\n", "a:1"],
    ["ARG A=a B=1\nFROM ${A}:${B}\n", "a:1"],
    ["ARG A=a\nARG B=$A-b\nFROM $B:1\n", "a-b:1"],
    ['ARG A="a:1"\nFROM "$A"\n', "a:1"],
    ["FROM ${A:-a:1}\n", "a:1"],
    ["ARG A=\nFROM ${A:-a:1}\n", "a:1"],
    ["ARG A=\nFROM a${A-b}\n", "a"],
    ["ARG A=1\nFROM a${A:+:1}\n", "a:1"],
    ["FROM a${A:+:1}\n", "a"],
    ["FROM ${A:-${B:-a:1}}\n", "a:1"],
    ["ARG A=1\nARG A=2\nFROM a:$A\n", "a:2"],
    ["arg A=a\nfrom $A as b\n", "a"],
    ["FROM a\\:1\n", "a:1"],
    ["# escape=`\nARG A=c:`\n1\nFROM $A\n", "c:1"],
  ])("resolves arguments by the file's defaults: %j", (text, image) => {
    expect(read(text).images).toMatchObject([{ text: image }]);
    expect(read(text).images[0]?.problem).toBeUndefined();
  });

  it("joins continued lines, with comments and empty lines between them", () => {
    expect(found("FROM \\\n# c\n\n  a:1 \\\n AS b\nFROM \\\r\n c:1\r\n")).toEqual(["1 FROM a:1", "6 FROM c:1"]);
    expect(found("FROM a:1\nRUN x \\\n FROM b:1\n")).toEqual(["1 FROM a:1"]);
    expect(found("FROM a:1\nRUN x \\\\\nFROM b:1\n")).toEqual(["1 FROM a:1", "3 FROM b:1"]);
    expect(found("# escape=`\nFROM a:1\nRUN dir c:\\\nFROM b:1\n")).toEqual(["2 FROM a:1", "4 FROM b:1"]);
  });

  it("reads flags without their quotes and escapes, as builds do", () => {
    expect(found('FROM a:1\nCOPY --from="b:1" /x /y\nCOPY --fr"om"=c:1 /x /y\nCOPY --f\\rom=d:1 x y\n')).toEqual([
      "1 FROM a:1",
      "2 COPY --from b:1",
      "3 COPY --from c:1",
      "4 COPY --from d:1",
    ]);
    expect(found('FROM a:1\nRUN --mount="type=bind,from=b:1,target=/x" y\n')).toContain("2 RUN --mount b:1");
    expect(found("FROM a:1\nRUN echo --mount=from=b:1\n")).toEqual(["1 FROM a:1"]);
  });

  it("finds what ONBUILD names, which is pulled by later builds", () => {
    expect(found("FROM a:1 AS b\nONBUILD COPY --from=c:1 x y\nONBUILD RUN --mount=from=d:1,target=/x y\n")).toEqual([
      "1 FROM a:1",
      "2 COPY --from c:1",
      "3 RUN --mount d:1",
    ]);
  });

  it("passes over the text of heredocs, and goes on behind it", () => {
    expect(found("FROM a:1\nRUN <<EOF\nFROM b:1\nEOF\nFROM c:1\n")).toEqual(["1 FROM a:1", "5 FROM c:1"]);
    expect(found("FROM a:1\nCOPY <<-'A' <<B /x/\nFROM b:1\n\tA\nFROM b:2\nB\nFROM c:1\n")).toEqual([
      "1 FROM a:1",
      "7 FROM c:1",
    ]);
    expect(found("FROM a:1\nRUN cat <<<x\nFROM c:1\n")).toHaveLength(2);
    expect(found("FROM a:1\nRUN echo '<<X'\nFROM c:1\n")).toHaveLength(2);
    expect(found('FROM a:1\nRUN ["echo", "<<X"]\nFROM c:1\n')).toHaveLength(2);
    expect(found("FROM a:1\nENV A=<<X\nFROM c:1\n")).toHaveLength(2);
    expect(found("FROM a:1\nONBUILD RUN <<X\nFROM b:1\nX\nFROM c:1\n")).toHaveLength(2);
  });

  it.each([
    ["a heredoc without end", "FROM a:1\nRUN <<EOF\nFROM b:1\n"],
    ["a heredoc whose name is not plain", "FROM a:1\nRUN x $(cat <<EOF)\nFROM b:1\nEOF)\n"],
    ["a heredoc beside an open quote", "FROM a:1\nRUN echo ' <<EOF\nFROM b:1\nEOF\n"],
    ["an unknown instruction", "FROM a:1\nFOO b\n"],
    ["another escape", "# escape=x\nFROM a:1\n"],
    ["an escape that is not at the top", "# c\n# escape=`\nFROM a:1\n"],
    ["two escapes", "# escape=`\n# escape=`\nFROM a:1\n"],
  ])("rejects %s", (_, text) => {
    expect(codeFor(text)).toBe("input.malformed");
  });

  it("finds a syntax behind other comments, where programs disagree on what counts", () => {
    expect(found("#!/usr/bin/env x\n# c\n\n#syntax = a/b:1\nFROM c:1\n")).toEqual(["4 syntax a/b:1", "5 FROM c:1"]);
    expect(found("FROM c:1\n# syntax=a/b:1\n")).toEqual(["1 FROM c:1"]);
  });

  it("resolves 10,000 arguments that double each other in bounded memory", () => {
    const lines = Array.from({ length: 10_000 }, (_, i) => `ARG A${i + 1}=$A${i}$A${i}`);
    const [image] = read(`ARG A0=a\n${lines.join("\n")}\nFROM $A10000\n`).images;
    expect(image?.problem).toBeDefined();
    const chain = Array.from({ length: 10_000 }, (_, i) => `ARG A${i + 1}=$A${i}`);
    expect(read(`ARG A0=a:1\n${chain.join("\n")}\nFROM $A10000\n`).images).toMatchObject([{ text: "a:1" }]);
    expect(read(`FROM ${"${A:-".repeat(10_000)}a${"}".repeat(10_000)}\n`).images[0]?.problem).toBeDefined();
  });
});
