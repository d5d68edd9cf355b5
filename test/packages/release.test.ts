import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTar } from "../../packaging/image/tar.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { canTryPackages, PACKAGE_VERSION, packageFile, VERSION } from "../support/packages.ts";
import { run } from "../support/process.ts";
import { EPOCH, makeRelease, makeReleaseKey } from "../support/release.ts";
import { requirement } from "../support/requirement.ts";

const testable =
  canTryPackages("a release") &&
  requirement("the syntax of recipes", missingTool("ruby3.1"), missingTool("nix-instantiate")) &&
  existsSync(packageFile("atcr-verify-image.tar")) &&
  existsSync(packageFile(`atcr-verify-${VERSION}-macos-x64.tar.gz`));
const LONG = 300_000;
const PLATFORMS = ["linux-amd64", "linux-arm64", "macos-arm64", "macos-x64"];
const sha256 = (path: string) => createHash("sha256").update(readFileSync(path));

describe.runIf(testable)("a release", { timeout: LONG }, () => {
  let folder: string;
  let signed: string;
  let unsigned: string;
  let key: ReturnType<typeof makeReleaseKey>;
  const outputs: string[] = [];
  const at = (...path: readonly string[]) => join(signed, ...path);
  const text = (...path: readonly string[]) => readFileSync(at(...path), "utf8");

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "atcr-release-"));
    key = makeReleaseKey(folder, "release", { passphrase: "of a test" });
    writeFileSync(join(folder, "passphrase"), "of a test", { mode: 0o600 });
    const signing = { RELEASE_KEY: key.file, RELEASE_KEY_PASSPHRASE: join(folder, "passphrase") };
    [signed, unsigned] = [join(folder, "signed"), join(folder, "unsigned")];
    for (const [to, env] of [
      [signed, { ...signing, RELEASE_URL: "https://packages.example.org/a/" }],
      [unsigned, {}],
    ] as const) {
      const { code, output } = await makeRelease(to, env);
      expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
      outputs.push(output);
    }
  }, LONG);
  afterAll(() => rmSync(folder, { recursive: true }));

  it("has each file that people download, and sums of all files", () => {
    const names = [
      ...["amd64", "arm64"].map((cpu) => `atcr-verify_${PACKAGE_VERSION}_${cpu}.deb`),
      ...["aarch64", "x86_64"].map((cpu) => `atcr-verify-${PACKAGE_VERSION}-1.${cpu}.rpm`),
      ...PLATFORMS.flatMap((platform) => [`atcr-verify-${VERSION}-${platform}.tar.gz`]),
      ...PLATFORMS.map((platform) => `atcr-verify-${VERSION}-${platform}.cdx.json`),
      `atcr-verify-${VERSION}-image.tar`,
      "trust-policy.schema.json",
      "verify-result.schema.json",
      "atcr-verify.rb",
      "atcr-verify.nix",
      "atcr-verify-keyring.asc",
      "SHA256SUMS",
      "SHA256SUMS.asc",
      "apt",
      "dnf",
    ];
    expect(readdirSync(signed).toSorted()).toEqual(names.toSorted());
    const checked = execFileSync("sha256sum", ["-c", "SHA256SUMS"], { cwd: signed, encoding: "utf8" });
    const listed = text("SHA256SUMS")
      .trimEnd()
      .split("\n")
      .map((line) => line.slice(66));
    expect(listed).toEqual(listed.toSorted());
    expect(checked.trimEnd().split("\n")).toEqual(listed.map((path) => `${path}: OK`));
    const all = readdirSync(signed, { recursive: true, encoding: "utf8" });
    const files = all.filter((path) => statSync(at(path)).isFile() && !path.startsWith("SHA256SUMS"));
    expect(listed).toEqual(files.toSorted());
  });

  it.each(PLATFORMS)("has an archive for %s with licences, SBOM, schemas, manual pages and completions", (platform) => {
    const name = `atcr-verify-${VERSION}-${platform}`;
    const entries = readTar(gunzipSync(readFileSync(at(`${name}.tar.gz`))));
    const paths = entries.filter(({ type }) => type === "file").map(({ path }) => path.replace(`${name}/`, ""));
    const wanted = ["LICENSE", "README.md", "CHANGELOG.md", "THIRD-PARTY-NOTICES.txt", "atcr-verify.cdx.json"];
    const more = ["trust-policy.schema.json", "verify-result.schema.json", "completions/_atcr-verify"];
    const last = ["completions/atcr-verify.bash", "man/atcr-verify.8", "man/atcr-verify-policy.5"];
    expect(paths).toEqual(expect.arrayContaining(["atcr-verify", ...wanted, ...more, ...last]));
    const isForNodes = ["etc/trust-policy.yaml", "etc/config.yaml", "system/tmpfiles.conf"].map((file) =>
      paths.includes(file),
    );
    expect(isForNodes).toEqual(isForNodes.map(() => platform.startsWith("linux")));
    const sbom = entries.find(({ path }) => path.endsWith("/atcr-verify.cdx.json"));
    expect(sbom?.type === "file" && Buffer.from(sbom.bytes)).toEqual(readFileSync(at(`${name}.cdx.json`)));
    if (platform === "linux-amd64") {
      const program = entries.find(({ path }) => path === `${name}/atcr-verify`);
      expect(program).toMatchObject({ mode: 0o755 });
      expect(program?.type === "file" && Buffer.from(program.bytes).equals(readFileSync("dist/atcr-verify"))).toBe(
        true,
      );
    }
  });

  it("writes a formula and a Nix expression with the hashes of the archives", () => {
    const [formula, nix] = [text("atcr-verify.rb"), text("atcr-verify.nix")];
    for (const platform of PLATFORMS) {
      const archive = `atcr-verify-${VERSION}-${platform}.tar.gz`;
      const [hex, base64] = [sha256(at(archive)).digest("hex"), sha256(at(archive)).digest("base64")];
      expect(formula).toContain(`url "https://packages.example.org/a/${archive}"\n      sha256 "${hex}"`);
      expect(nix).toContain(`name = "${archive}";\n      hash = "sha256-${base64}";`);
    }
    expect(`${formula}${nix}`).not.toMatch(/@[A-Z0-9_]+@/);
    expect(text("apt/atcr-verify.sources")).toMatch(/^URIs: https:\/\/packages\.example\.org\/a\/apt$/m);
    expect(text("dnf/atcr-verify.repo")).toMatch(/^gpgcheck=1\nrepo_gpgcheck=1$/m);
  });

  it("writes them so that Ruby and Nix can read them", async () => {
    const folders = ["ruby3.1", "nix-bin"].flatMap((tool) =>
      ["usr/lib/x86_64-linux-gnu", "usr/lib/nix"].map((below) => join("build/debian", tool, below)),
    );
    const home = { HOME: folder, NIX_STORE_DIR: join(folder, "store"), NIX_STATE_DIR: join(folder, "state") };
    const env = { ...process.env, ...home, NIX_CONF_DIR: folder, LD_LIBRARY_PATH: folders.join(":") };
    for (const command of [
      [debianTool("ruby3.1"), "--disable-gems", "-c", at("atcr-verify.rb")],
      [debianTool("nix-instantiate"), "--parse", at("atcr-verify.nix")],
    ]) {
      const { code, stderr } = await run(command[0] ?? "", command.slice(1), { env });
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    }
  });

  it("is the same again, but for signatures, which are the same with the same key", async () => {
    const again = join(folder, "again");
    const env = { RELEASE_KEY: key.file, RELEASE_KEY_PASSPHRASE: join(folder, "passphrase"), TZ: "Asia/Tokyo" };
    const { code } = await makeRelease(again, { ...env, RELEASE_URL: "https://packages.example.org/a" });
    expect(code).toBe(0);
    expect(readFileSync(join(again, "SHA256SUMS"), "utf8")).toBe(text("SHA256SUMS"));
    expect(readFileSync(join(again, "SHA256SUMS.asc"), "utf8")).toBe(text("SHA256SUMS.asc"));
    const same = ["apt/dists/stable/Release", `atcr-verify-${VERSION}-linux-arm64.tar.gz`];
    for (const name of same) expect(readFileSync(join(unsigned, name)).equals(readFileSync(at(name)))).toBe(true);
    rmSync(again, { recursive: true });
  });

  it("is not signed without a key, and says so in one line", () => {
    const asc = readdirSync(unsigned, { recursive: true, encoding: "utf8" }).filter((path) =>
      /InRelease|\.gpg$|\.asc$/.test(path),
    );
    expect(asc).toEqual([]);
    const lines = (output = "") => output.split("\n").filter((line) => line.includes("RELEASE_KEY"));
    expect(outputs.map((output) => lines(output).length)).toEqual([0, 1]);
    expect(lines(outputs[1])[0]).toContain("not signed");
    expect(text("apt/dists/stable/InRelease")).toContain("BEGIN PGP SIGNED MESSAGE");
  });

  it("takes no key that others can read, none that has expired, and no public one", async () => {
    const env = (file: string) => ({ RELEASE_KEY: file, RELEASE_KEY_PASSPHRASE: join(folder, "passphrase") });
    const refused = async (file: string) => {
      const { code, output } = await makeRelease(join(folder, "refused"), env(file));
      return [code, output.includes(file), existsSync(join(folder, "refused"))];
    };
    const open = join(folder, "open.asc");
    writeFileSync(open, readFileSync(key.file), { mode: 0o600 });
    chmodSync(open, 0o640);
    expect(await refused(open)).toEqual([1, true, false]);
    chmodSync(open, 0o600);
    writeFileSync(open, readFileSync(at("atcr-verify-keyring.asc")));
    expect(await refused(open)).toEqual([1, true, false]);
    expect(await refused(makeReleaseKey(folder, "expired", { expires: "2026-02-02" }).file)).toEqual([1, true, false]);
  });

  it("leaves neither a key nor a process behind", () => {
    const left = readdirSync("build/roots/checkers/tmp").filter((name) => name.startsWith("release-"));
    expect(left).toEqual([]);
    const commands = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "latin1");
        } catch {
          return "";
        }
      });
    expect(commands.filter((line) => line.includes("gpg-agent") && line.includes("/tmp/release-"))).toEqual([]);
    expect(EPOCH).toBeLessThan(Date.now() / 1000);
  });
});
