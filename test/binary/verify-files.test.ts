// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the files that are read
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, type Ask, ask, BINARY, headline, TestNode } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

let world: TestNode;
let signed: Descriptor;
let unsigned: Descriptor;
/** Names with a tag. */
let good: string;
let bad: string;

beforeAll(async () => {
  world = await TestNode.start();
  signed = world.registry.pushImage("alice/app", "signed", "good");
  await world.signer.sign(signed.digest, "app", world.begun + 1000);
  unsigned = world.registry.pushImage("alice/app", "unsigned", "bad");
  [good, bad] = ["good", "bad"].map((tag) => `${world.registry.authority}/alice/app:${tag}`) as [string, string];
});
afterAll(() => world.stop());

const verify = (args: readonly string[], options: Ask = {}) => ask(args, { env: world.env, ...options });
interface Listed {
  readonly code?: string;
  readonly exitStatus: number;
  readonly results: readonly { requested: string; code: string; places?: { file: string; line: number }[] }[];
  readonly found: readonly { file: string; images: number; kinds: unknown[]; passedOver: unknown[] }[];
}
const json = ({ stdout }: Answered) => JSON.parse(stdout) as Listed;

const pod = (...images: readonly string[]) =>
  `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n${images.map((image) => `  - image: ${image}\n`).join("")}`;

describe.concurrent("atcr-verify -f", () => {
  it("verifies each image once, and names the places", async () => {
    const yaml = world.write("a.yaml", pod(good, bad, good));
    const dockerfile = world.write("b/Dockerfile", `FROM ${good} AS x\nFROM x\nFROM scratch\n`);
    const { exitStatus, results, found } = json(await verify(["-f", yaml, "-f", dockerfile, "-o", "json"]));
    expect(exitStatus).toBe(1);
    expect(results.map(({ requested, code }) => [requested, code])).toEqual([
      [good, "signed"],
      [bad, "signature.none"],
    ]);
    expect(results[0]?.places).toEqual([
      { file: yaml, line: 5 },
      { file: yaml, line: 7 },
      { file: dockerfile, line: 1 },
    ]);
    expect(found).toEqual([
      { file: yaml, images: 3, kinds: [{ kind: "manifest", images: 3 }], passedOver: [] },
      {
        file: dockerfile,
        images: 1,
        kinds: [{ kind: "FROM", images: 1 }],
        passedOver: [
          { what: "stages", count: 1 },
          { what: "scratch", count: 1 },
        ],
      },
    ]);
  });

  it("reads standard input, without the word verify, and says what was found", async () => {
    const { code, stdout } = await verify(["-f", "-"], { stdin: pod(good) });
    expect(code).toBe(0);
    expect(stdout).toContain("1 image: 1 signed\nfound 1 image in <stdin>: 1 manifest\n");
    expect((await verify(["verify", "--file=-"], { stdin: `${good}\n` })).code).toBe(0);
  });

  it("joins an operand with the places that name it", async () => {
    const list = world.write("list.txt", `${good}\n`);
    const { results } = json(await verify([good, "-f", list, "-o", "json"]));
    expect(results).toHaveLength(1);
    expect(results[0]?.places).toEqual([{ file: list, line: 1 }]);
  });

  it.each([
    ["a variable", "'${IMAGE}'"],
    ["a variable with a default", `${"127.0.0.1:1/a"}:\${TAG:-v1}`],
    ["a template", "'{{ .Values.image }}'"],
    ["nothing", ""],
    ["a number", "1.0"],
    ["what is no name", "A/B"],
  ])("has status 3 for an image that is %s, and verifies the others", async (_, image) => {
    const answered = await verify(["-f", "-", "-o", "json"], { stdin: pod(good, image) });
    expect(answered.code).toBe(3);
    const { results } = json(answered);
    expect(results[0]?.code).toBe("signed");
    expect(results[1]?.code).toMatch(/^(?:input\.malformed|image\.malformed_reference)$/);
    expect(results[1]?.places).toEqual([{ file: "<stdin>", line: 6 }]);
  });

  it.each([
    ["a file without images", "kind: Service\n", "input.no_images"],
    ["nothing", "", "input.no_images"],
    ["what is no YAML", "a: [\n", "input.malformed"],
    ["a NUL", `${"image: a/b:1"}\0\n`, "input.malformed"],
    ["a dash line that hides a pod", '--- "\nimage: a/b:1\n# "\n', "input.malformed"],
  ])("has status 3 for %s", async (_, stdin, code) => {
    const answered = await verify(["-f", "-"], { stdin });
    expect(headline(answered)).toBe(`3 misconfigured ${code}`);
    const inJson = await verify(["-f", "-", "-o", "json"], { stdin });
    expect([inJson.code, json(inJson).code]).toEqual([3, code]);
  });

  it("has status 3 for a file that is absent, a folder, too large, or given twice", async () => {
    const folder = join(world.folder, "folder");
    mkdirSync(folder);
    for (const file of [join(world.folder, "absent"), folder, "/dev/zero"]) {
      expect(headline(await verify(["-f", file]))).toBe("3 misconfigured input.malformed");
    }
    expect(headline(await verify(["-f", "-", "-f", "-"]))).toBe("3 misconfigured input.malformed");
    expect((await verify(["-f", folder])).stdout).toContain("kustomize build");
  });

  it("prints nothing of a file as a command or a control character", async () => {
    const hostile = "'::error::x\\e[31m'\n  - image: \"a::warning::b\\e[31m\\n::set-output\"";
    for (const format of ["text", "github", "markdown", "junit", "json"]) {
      const { code, stdout } = await verify(["-f", "-", "-o", format], { stdin: pod(hostile) });
      expect(code).toBe(3);
      expect(stdout).toMatch(/^[ -~\n]*$/);
      const commands = stdout
        .split("\n")
        .filter((line) => /::/.test(line) && !/^::(?:error|warning) [^:]*::[^:]*(?::(?!:)[^:]*)*$/.test(line));
      expect(format === "json" || format === "junit" ? [] : commands).toEqual([]);
    }
  });

  it("asks no registry at a private address that only a file names, and the one that was typed", async () => {
    const own = world.configure({ ...world.settings, network: { allow: [] } }, "strict.yaml");
    const env = { ...world.env, ATCR_VERIFY_CONFIG: own };
    const { results } = json(await verify(["-f", "-", "-o", "json"], { stdin: pod(good), env }));
    expect(results[0]).toMatchObject({ code: "net.forbidden_address" });
    expect(results[0]).not.toHaveProperty("resolved");
    const typed = json(await verify([good, "-f", "-", "-o", "json"], { stdin: pod(good), env }));
    expect(typed.results[0]).toHaveProperty("resolved.digest", signed.digest);
  });

  it("serves bundle create, which leaves out what cannot be known, with status 3", async () => {
    const bundle = join(world.folder, "files.bundle");
    const stdin = pod(good, "'${IMAGE}'");
    const { code, stdout } = await verify(["bundle", "create", "-f", "-", "-o", bundle], { stdin });
    expect(code).toBe(3);
    expect(stdout).toContain(`signed ${good} `);
    expect(stdout).toContain("left out ${IMAGE} input.malformed: <stdin>:6: ");
  });

  it("lists eight of many places", async () => {
    const { stdout } = await verify(["-f", "-"], { stdin: `${`${bad}\n`.repeat(50)}` });
    expect(stdout.match(/named in/g)).toHaveLength(8);
    expect(stdout).toContain("and in 42 more places");
  });

  it("reads a named pipe", async () => {
    const pipe = join(world.folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const [answered] = await Promise.all([
      verify(["-f", pipe]),
      ask([], { through: ["/bin/sh", "-c"], binary: `echo ${good} > ${pipe}` }),
    ]);
    expect(answered.code).toBe(0);
  });
});

describe("the examples of docs/reference/images-in-files.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/reference/images-in-files.md"), "utf8");
  const lines = (/^```\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "").trim().split("\n");

  it.each(lines)("%s", async (line) => {
    const folder = join(world.folder, "examples");
    // In place of the programs that others make.
    for (const program of ["helm", "kustomize", "kubectl", "docker"]) {
      world.write(`examples/bin/${program}`, `#!/bin/sh\ncat <<'END'\n${pod(good)}END\n`, 0o755);
    }
    world.write("examples/bin/atcr-verify", `#!/bin/sh\nexec ${BINARY} "$@"\n`, 0o755);
    world.write("examples/deployment.yaml", pod(good));
    world.write("examples/Dockerfile", `FROM ${good}\n`);
    world.write("examples/images.txt", `${good}\n`);
    const env = { ...world.env, PATH: `${folder}/bin:/usr/bin:/bin` };
    const answered = await ask([], { env, cwd: folder, through: ["/bin/sh", "-c"], binary: line });
    expect([answered.code, answered.stderr]).toEqual([0, ""]);
    expect(answered.stdout).toContain(line.includes("ref") ? signed.digest : "allow signed");
  });

  it("are all of it", () => {
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.every((line) => line.includes("atcr-verify -f "))).toBe(true);
    expect(unsigned.digest).not.toBe(signed.digest);
  });
});
