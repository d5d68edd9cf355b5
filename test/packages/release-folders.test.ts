import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { DebianRoot } from "../../packaging/release/debian-root.ts";
import { writeDnfFolder } from "../../packaging/release/dnf-folder.ts";
import { endAgent, Signer } from "../../packaging/release/signer.ts";
import { CleanSystem, canTryPackages, PACKAGE_VERSION, packageFile, systemRoot, VERSION } from "../support/packages.ts";
import { run } from "../support/process.ts";
import { EPOCH, FileServer, makeRelease, makeReleaseKey } from "../support/release.ts";

const testable =
  canTryPackages("folders for apt and dnf") &&
  existsSync(packageFile("atcr-verify-image.tar")) &&
  existsSync(packageFile(`atcr-verify-${VERSION}-macos-x64.tar.gz`));
const LONG = 300_000;
const DEB_PATH = `/apt/pool/main/a/atcr-verify/atcr-verify_${PACKAGE_VERSION}_amd64.deb`;
const RPM_NAME = `atcr-verify-${PACKAGE_VERSION}-1.x86_64.rpm`;

// Served as they are, by a plain web server on loopback, to Debian's own apt and dnf.
describe.runIf(testable)("the folders of a release", { timeout: LONG }, () => {
  let folder: string;
  let server: FileServer;
  let release: string;
  let key: ReturnType<typeof makeReleaseKey>;
  let other: ReturnType<typeof makeReleaseKey>;
  const suite = () => (PACKAGE_VERSION.includes("~") ? "candidate" : "stable");

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "atcr-release-folders-"));
    server = await FileServer.start();
    release = join(folder, "release");
    key = makeReleaseKey(folder, "release");
    const { code, output } = await makeRelease(release, { RELEASE_KEY: key.file, RELEASE_URL: server.origin });
    expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
    other = makeReleaseKey(folder, "other");
    server.folder = release;
  }, LONG);
  afterEach(() => {
    server.reset();
    server.forget();
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  /** A file of the release, with one byte of another value. */
  function altered(path: string, at = 0.5): Buffer {
    const bytes = readFileSync(join(release, path));
    const index = Math.floor(bytes.length * at);
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    return bytes;
  }

  describe("with apt", () => {
    let system: CleanSystem;
    beforeAll(() => {
      system = new CleanSystem();
      rmSync(system.path("/etc/apt/sources.list"), { force: true });
      mkdirSync(system.path("/etc/apt/keyrings"), { recursive: true });
      cpSync(join(release, "atcr-verify-keyring.asc"), system.path("/etc/apt/keyrings/atcr-verify-keyring.asc"));
      cpSync(join(release, "apt/atcr-verify.sources"), system.path("/etc/apt/sources.list.d/atcr-verify.sources"));
    });
    afterAll(() => system.remove());

    /** As on a machine that has never seen the folder. */
    async function update(): Promise<number | null> {
      rmSync(system.path("/var/lib/apt/lists"), { recursive: true, force: true });
      const { code, stderr } = await system.run("apt-get", "-o", "APT::Update::Error-Mode=any", "update");
      return /^E:/m.test(stderr) ? code || 100 : code;
    }
    const install = () => system.run("apt-get", "-y", "--no-install-recommends", "install", "atcr-verify");

    it.each([
      ["without a signature", /InRelease|Release\.gpg/, () => ({ status: 404 })],
      ["with an altered InRelease", /InRelease/, () => ({ body: altered(`apt/dists/${suite()}/InRelease`, 0.2) })],
      ["with altered lists", /by-hash/, () => ({ body: Buffer.from("altered") })],
    ])("is refused %s", async (_, match, answer) => {
      server.override(match, answer);
      expect(await update()).not.toBe(0);
      expect((await install()).code).not.toBe(0);
    });

    it("is refused for the key of somebody else", async () => {
      const keyring = system.path("/etc/apt/keyrings/atcr-verify-keyring.asc");
      const ours = readFileSync(keyring);
      writeFileSync(keyring, readFileSync(other.publicFile));
      expect(await update()).not.toBe(0);
      writeFileSync(keyring, ours);
    });

    it("refuses an altered package, and installs the right one, by hashes", async () => {
      expect(await update()).toBe(0);
      expect(server.count(/\/main\/binary-amd64\/by-hash\/SHA256\//)).toBe(1);
      expect(server.count(/\/Packages/)).toBe(0);
      const takeBack = server.override(/\.deb$/, () => ({ body: altered(DEB_PATH) }));
      expect((await install()).code).not.toBe(0);
      expect(existsSync(system.path("/usr/bin/atcr-verify"))).toBe(false);
      takeBack();
      const { code, stderr } = await install();
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
      expect(await system.must("atcr-verify", "--version")).toBe(`atcr-verify ${VERSION}\n`);
    });
  });

  describe("with dnf", () => {
    // In a folder of that root, not in a copy of the root: dnf installs elsewhere.
    let debian: DebianRoot;
    const node = () => `${debian.inside}/node`;
    beforeAll(() => {
      debian = new DebianRoot(systemRoot("checkers"));
      for (const name of ["repos", "log"]) mkdirSync(join(debian.folder, name));
      cpSync(join(release, "dnf/atcr-verify.repo"), join(debian.folder, "repos/atcr-verify.repo"));
      // What a system of rpm has, and the package asks for, as one package.
      cpSync(join(release, RPM_NAME), join(debian.folder, RPM_NAME));
      const required = debian.run(["rpm", "-qp", "--requires", RPM_NAME]).toString();
      const needs = required.split("\n").filter((line) => line !== "" && !line.startsWith("rpmlib("));
      const provides = needs.map((line) => `Provides: ${line.split(" ")[0]}`).join("\n");
      const spec = `Name: system\nVersion: 1\nRelease: 1\nSummary: s\nLicense: none\nBuildArch: noarch\n${provides}\n%description\ns\n%files\n`;
      writeFileSync(join(debian.folder, "system.spec"), spec);
      debian.run(["rpmbuild", "--quiet", "-bb", "--define", `_topdir ${debian.inside}/top`, "system.spec"]);
      mkdirSync(join(debian.folder, "node"));
      const base = "top/RPMS/noarch/system-1-1.noarch.rpm";
      debian.run(["rpm", "--root", node(), "--nodeps", "--force-debian", "-i", base]);
    }, LONG);
    afterAll(() => debian.remove());

    /** As a machine does that has never seen the folder of the release. */
    const install = () => {
      const places = { reposdir: `${debian.inside}/repos`, cachedir: `${debian.inside}/cache` };
      const settings = { ...places, logdir: `${debian.inside}/log`, tsflags: "noscripts" };
      const options = Object.entries(settings).map(([key, value]) => `--setopt=${key}=${value}`);
      const system = ["--installroot", node(), "--releasever=1", "--forcearch=x86_64", "--refresh"];
      const dnf = ["dnf", "-y", ...system, ...options, "install", "atcr-verify"];
      const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", HOME: debian.inside };
      return run("chroot", [systemRoot("checkers"), ...dnf], { env, timeout: 100_000 });
    };
    const program = () => join(debian.folder, "node/usr/bin/atcr-verify");

    it.each([
      ["without a signature of its list", /repomd\.xml\.asc/, () => ({ status: 404 })],
      ["with an altered list", /repomd\.xml$/, () => ({ body: altered(`dnf/${suite()}/repodata/repomd.xml`) })],
      ["with an altered package", /\.rpm$/, () => ({ body: altered(RPM_NAME) })],
      ["with the key of somebody else", /keyring/, () => ({ body: readFileSync(other.publicFile) })],
    ])("is refused %s", async (_, match, answer) => {
      server.override(match, answer);
      expect((await install()).code).not.toBe(0);
      expect(server.count(match)).toBeGreaterThan(0);
      expect(existsSync(program())).toBe(false);
    });

    it("is refused with a package that is not signed, also where the list is", async () => {
      const lists = join(folder, "unsigned");
      try {
        const signer = new Signer(debian, key.file, undefined, EPOCH);
        cpSync(packageFile(RPM_NAME), join(debian.folder, RPM_NAME), { force: true });
        writeDnfFolder(join(debian.folder, "lists"), [join(debian.folder, RPM_NAME)], { epoch: EPOCH, debian, signer });
        cpSync(join(debian.folder, "lists"), lists, { recursive: true });
      } finally {
        endAgent(debian);
      }
      server.override(/^\/dnf\//, ({ request }) => ({
        body: readFileSync(request.path.replace(`/dnf/${suite()}`, lists)),
      }));
      const { code, stdout, stderr } = await install();
      expect([code === 0, `${stdout}${stderr}`]).toEqual([false, expect.stringContaining("is not signed")]);
      expect(server.count(/\.rpm$/)).toBe(1);
      expect(existsSync(program())).toBe(false);
    });

    it("installs what is signed", async () => {
      const { code, stderr, stdout } = await install();
      expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
      expect(existsSync(program())).toBe(true);
    });
  });
});
