import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, Bench, containerdArgs, DESCRIPTOR_TYPE, headline } from "../support/binary.ts";
import { run } from "../support/process.ts";

const WRAPPER_TYPE = "application/vnd.containerd.image-verifier.input.v1+json";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const DIGEST = `sha256:${"a1".repeat(32)}`;
const OTHER = `sha256:${"b2".repeat(32)}`;
const NAME = "registry.example/team/app:v1";
const DESCRIPTOR = { mediaType: MANIFEST_TYPE, digest: DIGEST, size: 428 };
const ARGS = containerdArgs(NAME, DIGEST);
const MIB = 1024 * 1024;
/** What the policy below says about NAME. A question that is understood is answered so, without a network. */
const UNDERSTOOD = "0 allow exempt";
const MALFORMED = "3 misconfigured input.malformed";
const MISMATCH = "3 misconfigured input.digest_mismatch";
const BAD_NAME = "3 misconfigured image.malformed_reference";

const bench = new Bench();

beforeAll(() => {
  bench.policy(`version: 1.0
trustedDIDs: ["did:web:signer.example"]
policies:
  - {name: exempt, scope: "registry.example/team/*", action: allow}
  - {name: also-exempt, scope: ["localhost:5000/**", "docker.io/library/nginx"], action: allow}
default: deny
`);
});
afterAll(() => bench.remove());

async function headlineOf(args: readonly string[], stdin: string | Uint8Array | object = DESCRIPTOR): Promise<string> {
  const text = typeof stdin === "string" || stdin instanceof Uint8Array ? stdin : JSON.stringify(stdin);
  const answered = await ask(args, { env: bench.env, stdin: text });
  expect(answered.stderr).toBe("");
  expect(answered.stdout).toMatch(/^[ -~]{1,1023}\n$/);
  return headline(answered);
}

describe.concurrent("containerd's arguments", () => {
  it.each<[string, readonly string[]]>([
    ["-x v, as containerd passes them", ARGS],
    ["-x=v", [`-name=${NAME}`, `-digest=${DIGEST}`, `-stdin-media-type=${DESCRIPTOR_TYPE}`]],
    ["another order", ["-stdin-media-type", DESCRIPTOR_TYPE, `-digest=${DIGEST}`, "-name", NAME]],
    ["two dashes after the first", ["-name", NAME, "--digest", DIGEST, `--stdin-media-type=${DESCRIPTOR_TYPE}`]],
    ["-operation pull", [...ARGS, "-operation", "pull"]],
    ["-operation run", ["-operation=run", ...ARGS]],
    ["an unknown flag with =value", ["-unknown=x", ...ARGS]],
    ["an unknown flag with a value", ["-unknown", "x", ...ARGS]],
    ["an unknown flag without a value", ["-unknown", ...ARGS]],
    ["an unknown flag at the end", [...ARGS, "-unknown"]],
    ["an unknown flag twice", ["-unknown", "-unknown=x", ...ARGS]],
    ["an unknown flag with a value of several lines", ["-unknown=a\nb=c", ...ARGS]],
    ["an unknown flag named like a property of all objects", ["-constructor", "x", ...ARGS]],
  ])("are understood: %s", async (_, args) => {
    expect(await headlineOf(args)).toBe(UNDERSTOOD);
  });

  it.each<[string, readonly string[]]>([
    ["no -name", ARGS.slice(2)],
    ["no -digest", [...ARGS.slice(0, 2), ...ARGS.slice(4)]],
    ["no -stdin-media-type", ARGS.slice(0, 4)],
    ["-name twice", [...ARGS, "-name", NAME]],
    ["-name twice, once with two dashes", [...ARGS, `--name=${NAME}`]],
    ["-digest twice", [...ARGS, `-digest=${DIGEST}`]],
    ["-stdin-media-type twice", [...ARGS, `-stdin-media-type=${DESCRIPTOR_TYPE}`]],
    ["-operation twice", [...ARGS, "-operation", "pull", "-operation", "run"]],
    ["no value at the end", [...ARGS.slice(2), "-name"]],
    ["an empty value", ["-name", "", ...ARGS.slice(2)]],
    ["an empty value behind =", ["-name=", ...ARGS.slice(2)]],
    ["a value that is no flag's", [...ARGS, "registry.example/other"]],
    ["a second value of an unknown flag", ["-unknown", "x", "y", ...ARGS]],
    ["--", [...ARGS, "--"]],
    ["-", [...ARGS, "-"]],
    ["a flag that takes the next flag as its value", ["-name", ...ARGS.slice(2)]],
    ["an unknown flag that swallows a known one's value", ["-name", "-unknown", NAME, ...ARGS.slice(2)]],
    ["-NAME, which is another flag", ["-NAME", NAME, ...ARGS.slice(2)]],
  ])("are malformed: %s", async (_, args) => {
    expect(await headlineOf(args)).toBe(MALFORMED);
  });

  it("are containerd's in any position, and a command's where none of them is there", async () => {
    for (const args of [[NAME, ...ARGS], ["-n", NAME], ["-n=x"], ["verify", ...ARGS]]) {
      expect(await headlineOf(args), args.join(" ")).toBe(MALFORMED);
    }
    expect(await headlineOf(["-later", "x", ...ARGS])).toBe("0 allow exempt");
    // Two dashes are Go's too, beside one that only containerd has.
    expect(await headlineOf(["--name", NAME, ...ARGS.slice(2)])).toBe("0 allow exempt");
    const { stdout } = await ask(["--name", NAME], { env: bench.env });
    expect(stdout).toContain('unknown option "--name"');
  });

  it("name what is missing", async () => {
    const { stdout } = await ask(["-operation", "pull"], { env: bench.env, stdin: "{}" });
    expect(stdout).toContain("missing -name, -digest, -stdin-media-type");
  });
});

describe.concurrent("the standard input", () => {
  const wrapped = (value: unknown) =>
    headlineOf([...ARGS.slice(0, 4), "-stdin-media-type", WRAPPER_TYPE], value as object);

  it("may be the wrapper of later containerds, whose annotations do not matter", async () => {
    const annotations = { "io.atcr.allow": "true", digest: OTHER };
    expect(await wrapped({ descriptor: DESCRIPTOR, operation: "run", annotations })).toBe(UNDERSTOOD);
    expect(await wrapped({ descriptor: { ...DESCRIPTOR, digest: OTHER } })).toBe(MISMATCH);
    expect(await wrapped(DESCRIPTOR)).toBe(MALFORMED);
    expect(await wrapped({ descriptor: null })).toBe(MALFORMED);
    expect(await wrapped({ descriptor: [DESCRIPTOR] })).toBe(MALFORMED);
  });

  it.each([
    "application/json",
    "application/vnd.oci.descriptor.v2+json",
    "application/vnd.containerd.image-verifier.input.v2+json",
    MANIFEST_TYPE,
    `${DESCRIPTOR_TYPE}; charset=utf-8`,
    DESCRIPTOR_TYPE.toUpperCase(),
  ])("is of no type but these: input.unsupported_media_type for %s", async (type) => {
    const args = [...ARGS.slice(0, 4), "-stdin-media-type", type];
    expect(await headlineOf(args)).toBe("3 misconfigured input.unsupported_media_type");
  });

  it.each<[string, string | Uint8Array]>([
    ["nothing", ""],
    ["white space", " \n"],
    ["no JSON", "digest"],
    ["half of it", JSON.stringify(DESCRIPTOR).slice(0, 40)],
    ["two documents", `${JSON.stringify(DESCRIPTOR)}\n${JSON.stringify(DESCRIPTOR)}`],
    ["null", "null"],
    ["a list", `[${JSON.stringify(DESCRIPTOR)}]`],
    ["a string", JSON.stringify(DIGEST)],
    ["no digest", '{"size":428}'],
    ["a digest by inheritance", `{"__proto__":{"digest":"${DIGEST}"}}`],
    ["a digest that is no string", JSON.stringify({ ...DESCRIPTOR, digest: [DIGEST] })],
    ["a media type that is no string", JSON.stringify({ ...DESCRIPTOR, mediaType: 1 })],
    ["a media type of null", JSON.stringify({ ...DESCRIPTOR, mediaType: null })],
    ["a size that is no number", JSON.stringify({ ...DESCRIPTOR, size: "428" })],
    ["a negative size", JSON.stringify({ ...DESCRIPTOR, size: -1 })],
    ["a broken size", JSON.stringify({ ...DESCRIPTOR, size: 1.5 })],
    ["a size beyond all", `{"digest":"${DIGEST}","size":1e400}`],
    ["no UTF-8", Buffer.from(`{"digest":"${DIGEST}","x":"\xff"}`, "latin1")],
    ["a BOM", `\ufeff${JSON.stringify(DESCRIPTOR)}`],
    ["UTF-16", Buffer.from(JSON.stringify(DESCRIPTOR), "utf16le")],
    ["JSON nested deep", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["JSON nested deep and not closed", "[".repeat(3 * MIB)],
  ])("is malformed: %s", async (_, stdin) => {
    expect(await headlineOf(ARGS, stdin)).toBe(MALFORMED);
  });

  it.each<[string, object]>([
    ["without a media type", { digest: DIGEST, size: 428 }],
    ["with an empty media type", { ...DESCRIPTOR, mediaType: "" }],
    ["without a size", { digest: DIGEST }],
    ["of size 0", { ...DESCRIPTOR, size: 0 }],
    ["with fields of its own", { ...DESCRIPTOR, annotations: { a: "b" }, platform: {} }],
    ["of a registry that knows no types", { ...DESCRIPTOR, mediaType: "application/octet-stream" }],
  ])("may be a descriptor %s", async (_, descriptor) => {
    expect(await headlineOf(ARGS, descriptor)).toBe(UNDERSTOOD);
  });

  it("is read up to 4 MiB and no further", async () => {
    const json = JSON.stringify(DESCRIPTOR);
    expect(await headlineOf(ARGS, json.padEnd(4 * MIB))).toBe(UNDERSTOOD);
    expect(await headlineOf(ARGS, json.padEnd(4 * MIB + 1))).toBe(MALFORMED);
    const { stdout } = await ask(ARGS, { env: bench.env, redirect: "</dev/zero" });
    expect(stdout).toContain("more than 4194304 bytes");
  });

  it("is read when it is a file, and refused when it is a folder or closed", async () => {
    const file = bench.write("descriptor.json", JSON.stringify(DESCRIPTOR));
    expect(headline(await ask(ARGS, { env: bench.env, redirect: `<${file}` }))).toBe(UNDERSTOOD);
    expect(headline(await ask(ARGS, { env: bench.env, redirect: "</" }))).toBe(MALFORMED);
    expect(headline(await ask(ARGS, { env: bench.env, redirect: "<&-" }))).toBe(MALFORMED);
  });

  it("may arrive in pieces", async () => {
    const pieces = JSON.stringify(DESCRIPTOR).match(/.{1,20}/gs) ?? [];
    const answered = await ask(ARGS, {
      env: bench.env,
      stdin: null,
      started: ({ stdin }) => {
        for (const [i, piece] of [...pieces, ""].entries()) {
          setTimeout(() => void (piece === "" ? stdin?.end() : stdin?.write(piece)), 15 * i);
        }
      },
    });
    expect(headline(answered)).toBe(UNDERSTOOD);
  });
});

describe.concurrent("a non-blocking standard input", () => {
  it("is waited for while it is empty", async () => {
    const path = join(bench.folder, "stdin.pipe");
    await run("mkfifo", [path]);
    // Both ends without waiting for the other one.
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    // Starting a process makes its input blocking, so the process itself makes it what it was.
    const script = 'use Fcntl; fcntl(STDIN, F_SETFL, O_NONBLOCK) or die "$!"; exec @ARGV';
    const answered = ask(ARGS, { env: bench.env, stdin: reader, through: ["/usr/bin/perl", "-e", script] });
    closeSync(reader);
    await new Promise((resolve) => setTimeout(resolve, 200));
    writeSync(writer, JSON.stringify(DESCRIPTOR));
    closeSync(writer);
    expect(headline(await answered)).toBe(UNDERSTOOD);
  });
});

describe.concurrent("without flags", () => {
  const piped = { reference: NAME, descriptor: { digest: DIGEST } };

  it("the question is an object of reference and descriptor", async () => {
    expect(await headlineOf([], piped)).toBe(UNDERSTOOD);
    expect(await headlineOf([], { ...piped, descriptor: DESCRIPTOR })).toBe(UNDERSTOOD);
    expect(await headlineOf([], { ...piped, reference: `${NAME}@${DIGEST}` })).toBe(UNDERSTOOD);
  });

  it.each<[string, string, unknown]>([
    ["nothing", MALFORMED, ""],
    ["a bare descriptor", MALFORMED, DESCRIPTOR],
    ["no reference", MALFORMED, { descriptor: DESCRIPTOR }],
    ["a reference that is no string", MALFORMED, { ...piped, reference: [NAME] }],
    ["no descriptor", MALFORMED, { reference: NAME }],
    ["a list", MALFORMED, [piped]],
    ["a short name", BAD_NAME, { ...piped, reference: "nginx" }],
    ["an alias", BAD_NAME, { ...piped, reference: "index.docker.io/library/nginx" }],
    ["another digest in the name", MISMATCH, { ...piped, reference: `${NAME}@${OTHER}` }],
    [
      "a digest that is none",
      "3 misconfigured input.unsupported_digest",
      { ...piped, descriptor: { digest: "sha256:x" } },
    ],
  ])("is refused: %s", async (_, expected, stdin) => {
    expect(await headlineOf([], stdin as object)).toBe(expected);
  });
});

describe.concurrent("the digests", () => {
  it("must be the same in -digest, on stdin and in the name", async () => {
    expect(await headlineOf(containerdArgs(`${NAME}@${DIGEST}`, DIGEST))).toBe(UNDERSTOOD);
    expect(await headlineOf(containerdArgs(NAME, OTHER))).toBe(MISMATCH);
    expect(await headlineOf(ARGS, { ...DESCRIPTOR, digest: OTHER })).toBe(MISMATCH);
    expect(await headlineOf(containerdArgs(`${NAME}@${OTHER}`, DIGEST))).toBe(MISMATCH);
    expect(await headlineOf(containerdArgs(`${NAME}@${DIGEST}`, OTHER), { ...DESCRIPTOR, digest: OTHER })).toBe(
      MISMATCH,
    );
  });

  it.each([
    `sha512:${"a1".repeat(64)}`,
    `sha256:${"A1".repeat(32)}`,
    `SHA256:${"a1".repeat(32)}`,
    `sha256:${"a1".repeat(31)}`,
    `sha256:${"a1".repeat(32)}0`,
    `sha256:${"a1".repeat(32)}\n`,
    ` sha256:${"a1".repeat(32)}`,
    "a1".repeat(32),
    `sha256-${"a1".repeat(32)}`,
    `sha256:../../../${"a1".repeat(27)}0`,
  ])("are sha256 in lower-case hex, and nothing else: %j", async (digest) => {
    const unsupported = "3 misconfigured input.unsupported_digest";
    expect(await headlineOf(containerdArgs(NAME, digest), { ...DESCRIPTOR, digest })).toBe(unsupported);
    expect(await headlineOf(ARGS, { ...DESCRIPTOR, digest })).toBe(unsupported);
  });

  it("are sha256 in the name too", async () => {
    expect(await headlineOf(containerdArgs(`${NAME}@sha512:${"a1".repeat(64)}`, DIGEST))).toBe(
      "3 misconfigured input.unsupported_digest",
    );
  });
});

describe.concurrent("the name", () => {
  // containerd passes on what its client wrote, and pulls all of these (ctr, observed).
  it.each([
    "localhost:5000/evil/../app:v1",
    "localhost:5000//app:v1",
    "localhost:5000/%61pp:v1",
    "user@localhost:5000/app:v1",
    "localhost:5000/app:v1?x=y",
    "localhost:5000/app:v1#frag",
    "LOCALHOST:5000/app:v1",
    `app:nosuch@${DIGEST}`,
    "localhost:5000/app:",
    "localhost:5000/app@",
    "localhost:05000/app",
    "localhost:0/app",
    "localhost:65536/app",
    "localhost:5000/App",
    "localhost:5000/app/",
    "localhost:5000/./app",
    "localhost:5000\\app",
    "https://localhost:5000/app",
    "localhost:5000/app:v1 ",
    "localhost:5000/app\u0001",
    "localhost:5000/app\n",
    "localhost:5000/\u0430pp",
    "127.1:5000/app",
    "0x7f000001/app",
    "[::0:1]:5000/app",
    "registry.example./team/app",
    "registry..example/team/app",
    `registry.example/${"a".repeat(256)}`,
    `registry.example/team/app:${"v".repeat(129)}`,
    `registry.example/team/${"app/".repeat(100_000)}x`.slice(0, 100_000),
  ])("is refused, not repaired: %.60j", async (name) => {
    expect(await headlineOf(containerdArgs(name, DIGEST))).toBe(BAD_NAME);
  });

  it.each([
    "nginx",
    "nginx:latest",
    "alice/app",
    "docker.io/nginx",
    "index.docker.io/library/nginx",
    "registry-1.docker.io/library/nginx",
    "docker.io:443/library/nginx",
  ])("is no short or alias form: %s", async (name) => {
    expect(await headlineOf(containerdArgs(name, DIGEST))).toBe(BAD_NAME);
  });

  it.each([
    "docker.io/library/nginx:latest",
    "registry.example:443/team/app",
    `localhost:5000/app:nosuch@${DIGEST}`,
    "localhost:5000/a/b/c",
  ])("may be %s", async (name) => {
    expect(await headlineOf(containerdArgs(name, DIGEST))).toBe(UNDERSTOOD);
  });
});
