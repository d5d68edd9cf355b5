import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSystemRoots } from "../../../../src/io/net/system-roots.ts";
import { makeTemporaryDirectory, run } from "../../../support/process.ts";
import { missingRoot, requirement } from "../../../support/requirement.ts";

const root = makeTemporaryDirectory("roots");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const place = (name: string, text: string): string => {
  const path = join(root, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
};
const texts = (environment: Record<string, string>) =>
  readSystemRoots(environment)
    .files.map(({ text }) => text)
    .filter((text) => text.length < 10);

describe("the system's certificate authorities", () => {
  const file = place("file.pem", "file");
  const [one, two] = [join(root, "one"), join(root, "two")];
  place("one/a.pem", "a");
  place("two/b.pem", "b");

  it("are those of SSL_CERT_FILE and of all directories of SSL_CERT_DIR", () => {
    expect(texts({ SSL_CERT_FILE: file, SSL_CERT_DIR: `${one}:${two}` })).toEqual(["file", "a", "b"]);
    expect(texts({ SSL_CERT_FILE: file, SSL_CERT_DIR: join(root, "none") })).toEqual(["file"]);
  });

  it("are read once, and not again by a link within a directory", () => {
    const directory = join(root, "hashed");
    const bundle = place("hashed/bundle.pem", "bundle");
    symlinkSync("bundle.pem", join(directory, "0a0a0a0a.0"));
    symlinkSync(file, join(directory, "linked.pem"));
    expect(texts({ SSL_CERT_FILE: bundle, SSL_CERT_DIR: directory })).toEqual(["bundle", "file"]);
  });

  it.each<[string, (path: string) => void]>([
    ["absent", () => {}],
    ["a directory", (path) => mkdirSync(path)],
    ["a link to itself", (path) => symlinkSync(path, path)],
    ["a link that leads nowhere", (path) => symlinkSync("/nowhere", path)],
  ])("are named where SSL_CERT_FILE is %s, and the directories count", (name, make) => {
    const path = join(root, `wrong ${name}`);
    make(path);
    const { files, problems } = readSystemRoots({ SSL_CERT_FILE: path, SSL_CERT_DIR: one });
    expect(files.map(({ text }) => text)).toEqual(["a"]);
    expect(problems).toEqual([expect.stringContaining(path)]);
  });

  it("pass over what is no readable file in a directory", async () => {
    const directory = join(root, "mixed");
    place("mixed/good.pem", "good");
    mkdirSync(join(directory, "folder"));
    symlinkSync("/nowhere", join(directory, "dangling.pem"));
    await run("mkfifo", [join(directory, "pipe")]);
    expect(texts({ SSL_CERT_FILE: file, SSL_CERT_DIR: directory })).toEqual(["file", "good"]);
  });

  const canMount = requirement("lists of the system's files", missingRoot("it mounts"));
  it.skipIf(!canMount)(
    "are without variables those of the first file that is there, and of all directories",
    async () => {
      const [ssl, pki] = [join(root, "ssl"), join(root, "pki")];
      place("ssl/ca-bundle.pem", "third");
      place("ssl/cert.pem", "last");
      place("ssl/certs/x.pem", "x");
      place("pki/tls/certs/y.pem", "y");
      const script = join(import.meta.dirname, "../../../../src/io/net/system-roots.ts");
      const code = `const { readSystemRoots } = await import(${JSON.stringify(script)});
      process.stdout.write(readSystemRoots({}).files.map(({ text }) => text).join());`;
      const mounts =
        'mkdir -p /etc/pki && mount --bind "$0" /etc/ssl && mount --bind "$1" /etc/pki && exec "$2" --input-type=module -e "$3"';
      const { stdout, stderr } = await run("unshare", [
        "--mount",
        "sh",
        "-c",
        mounts,
        ssl,
        pki,
        process.execPath,
        code,
      ]);
      expect(stderr.replace(/.*ExperimentalWarning.*\n|\(Use .*\n/g, "")).toBe("");
      expect(stdout).toBe("third,x,y");
    },
  );
});
