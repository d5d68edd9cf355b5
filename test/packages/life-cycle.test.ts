import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import {
  CleanSystem,
  canTryPackages,
  DEB,
  filesBelow,
  laterDeb,
  PACKAGE_VERSION,
  packageFile,
  RPM,
  systemRoot,
  VERSION,
} from "../support/packages.ts";
import { run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";

const testable = canTryPackages("packages from installing to removing");
const POLICY = "/etc/atcr-verify/trust-policy.yaml";
const BIN_DIR = "/opt/containerd/image-verifier/bin";
const LINK = `${BIN_DIR}/atcr-verify`;
/** In a mount namespace of the command's own. */
const READ_ONLY = `mount --bind ${BIN_DIR} ${BIN_DIR} && mount -o remount,ro,bind ${BIN_DIR}`;
const OTHER_DIR = "/srv/my verifiers";
const OWN = ["/var/cache/atcr-verify", "/var/lib/atcr-verify", "/var/lib/atcr-verify-node", "/var/log/atcr-verify"];

/** What the programs of an arm64 system are linked with. */
const LIBRARIES = join(import.meta.dirname, "../../build/debian/libc6-arm64-cross/usr/aarch64-linux-gnu");

const isLink = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** The SBOM names the packages of npm, and the very runtime that is in the program, by the hash of the lockfile. */
function expectParts(sbom: string, runtime: string): void {
  interface Component {
    readonly name: string;
    readonly "bom-ref": string;
    readonly hashes: readonly { readonly content: string }[];
  }
  const { components } = JSON.parse(sbom) as { components: readonly Component[] };
  const refs = components.map((component) => component["bom-ref"]);
  expect(refs).toEqual([...new Set(refs)]);
  const names = components.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([runtime, "cborg", "@noble/curves", "yaml"]));
  const lock = readFileSync(join(import.meta.dirname, "../../package-lock.json"), "utf8");
  const { packages } = JSON.parse(lock) as { packages: Readonly<Record<string, { integrity: string }>> };
  for (const { name, hashes } of components.filter((one) => one.name === runtime)) {
    const [{ content } = { content: "" }] = hashes;
    expect(`sha512-${Buffer.from(content, "hex").toString("base64")}`).toBe(
      packages[`node_modules/${name}`]?.integrity,
    );
  }
}

describe.runIf(testable)("the .deb", () => {
  let system: CleanSystem;
  let folder: string;
  beforeAll(() => {
    system = new CleanSystem();
    folder = mkdtempSync(join(tmpdir(), "atcr-debs-"));
  });
  afterAll(() => {
    system.remove();
    rmSync(folder, { recursive: true });
  });
  const policy = () => readFileSync(system.path(POLICY), "utf8");
  const install = (file: string) => system.must("dpkg", "--force-confold", "-i", system.bring(file));

  it("installs the program disabled, with a policy that refuses nothing, and nothing in bin_dir or /opt", async () => {
    expect(await install(DEB)).toMatch(NOT_ENABLED);
    expect(await system.must("atcr-verify", "--version")).toBe(`atcr-verify ${VERSION}\n`);
    expect(await system.must("atcr-verify", "selftest")).toContain("all as expected");
    expect([existsSync(system.path("/opt/containerd")), filesBelow(system.path("/opt"))]).toEqual([false, []]);
    expect(OWN.map((path) => (statSync(system.path(path)).mode & 0o777).toString(8))).toEqual([
      "700",
      "700",
      "700",
      "750",
    ]);
    const image = `docker.io/library/nginx@sha256:${"0".repeat(64)}`;
    const { code, stdout } = await system.run("atcr-verify", "verify", image);
    // The policy names nobody yet, so there is nothing to judge by.
    expect([code, stdout.split(":")[0]]).toEqual([5, "unjudged no_policy"]);
    for (const file of ["man8/atcr-verify.8.gz", "man5/atcr-verify-policy.5.gz"]) {
      expect(existsSync(system.path(`/usr/share/man/${file}`))).toBe(true);
    }
    const doc = (name: string) => readFileSync(system.path(`/usr/share/doc/atcr-verify/${name}`), "utf8");
    expectParts(doc("atcr-verify.cdx.json"), "@oven/bun-linux-x64");
    expect(doc("THIRD-PARTY-NOTICES.txt")).toMatch(/Bun.*JavaScriptCore.*cborg.*GNU LIBRARY GENERAL PUBLIC LICENSE/s);
  });

  it("is enabled after the policy names somebody, as docs/install.md says; the doctor says what is missing", async () => {
    // As installed the policy only watches, so that it may be enabled before anybody is trusted.
    const watching = await system.run("atcr-verify", "enable");
    expect([watching.code, isLink(system.path(LINK))]).toEqual([0, true]);
    await system.must("atcr-verify", "disable");
    expect(isLink(system.path(LINK))).toBe(false);
    const edited = policy().replace(
      /^# {2}did:plc:[\s\S]*?"Alice"\n/m,
      "  did:plc:ewvi7nxzyoun6zhxrhs64oiz: {name: Alice}\n",
    );
    expect(edited).not.toBe(policy());
    writeFileSync(system.path(POLICY), edited);
    expect((await system.run("atcr-verify", "policy", "check", "--offline")).code).toBe(0);
    const enabled = await system.run("atcr-verify", "enable", "--bin-dir", BIN_DIR);
    expect([enabled.stdout.includes("runs it at each pull"), isLink(system.path(LINK))]).toEqual([true, true]);
    expect(readFileSync(system.path("/var/lib/atcr-verify/enabled"), "utf8")).toBe(`${BIN_DIR}\n`);
    const doctor = await system.run("atcr-verify", "doctor", "--offline", "--output", "json");
    const { findings } = JSON.parse(doctor.stdout) as { findings: { level: string; name: string }[] };
    expect(findings.filter(({ level }) => level === "problem").map(({ name }) => name)).toContain("containerd");
    expect(findings.filter(({ level }) => level === "ok").map(({ name }) => name)).toEqual(
      expect.arrayContaining(["link", "bin-dir", "decision-log"]),
    );
  });

  it("keeps an edited policy, and the link, over upgrades, whether the package's changed or not", async () => {
    const before = policy();
    expect(await install(await laterDeb(folder, "9.0.0", false))).not.toContain("not enabled");
    expect([policy(), isLink(system.path(LINK))]).toEqual([before, true]);
    await install(await laterDeb(folder, "9.1.0", true));
    expect([policy(), isLink(system.path(LINK))]).toEqual([before, true]);
    expect(readFileSync(system.path(`${POLICY}.dpkg-dist`), "utf8")).toContain("# of 9.1.0");
    expect((await system.run("atcr-verify", "policy", "check", "--offline")).code).toBe(0);
  });

  it("says aloud that dpkg was let to replace the policy, which then refuses nothing", async () => {
    const before = policy();
    const later = system.bring(await laterDeb(folder, "9.2.0", true));
    const { stderr } = await system.run("dpkg", "--force-confnew", "-i", later);
    expect([stderr.includes("refuses nothing"), policy() === before]).toEqual([true, false]);
    // Whoever has taken theirs back is told no more.
    writeFileSync(system.path(POLICY), before);
    const again = await system.run("dpkg", "-i", later);
    expect([again.code, again.stderr.includes("refuses nothing")]).toEqual([0, false]);
    rmSync(system.path(`${POLICY}.dpkg-old`));
  });

  it("stays where the link cannot be taken out, which would block every pull", async () => {
    const { code } = await system.run("sh", "-c", `${READ_ONLY} && dpkg -r atcr-verify`);
    expect([code, isLink(system.path(LINK)), existsSync(system.path("/usr/bin/atcr-verify"))]).toEqual([1, true, true]);
  });

  it("takes the links out before it is removed, and those of nobody else; keeps policy and memory", async () => {
    const other = system.path(`${OTHER_DIR}/atcr-verify`);
    mkdirSync(system.path(OTHER_DIR), { recursive: true });
    symlinkSync("/usr/bin/atcr-verify", other);
    mkdirSync(system.path("/srv/foreign"));
    symlinkSync("/usr/bin/other", system.path("/srv/foreign/atcr-verify"));
    // As an administrator may have placed it.
    rmSync(system.path(LINK));
    symlinkSync("../../../../usr/bin/atcr-verify", system.path(LINK));
    writeFileSync(system.path("/var/lib/atcr-verify/enabled"), `${BIN_DIR}\n${OTHER_DIR}\n/srv/foreign\n`);
    const named = ["00-verify", "verify", "..verify"].map((name) => system.path(`${BIN_DIR}/${name}`));
    for (const link of named) symlinkSync(link.endsWith("/verify") ? "atcr-verify" : "/usr/bin/atcr-verify", link);
    writeFileSync(system.path("/var/lib/atcr-verify/kept"), "");
    const before = policy();
    await system.must("dpkg", "-r", "atcr-verify");
    expect([system.path(LINK), other, ...named].filter(isLink)).toEqual([]);
    expect(isLink(system.path("/srv/foreign/atcr-verify"))).toBe(true);
    expect(existsSync(system.path("/usr/bin/atcr-verify"))).toBe(false);
    expect([policy(), existsSync(system.path("/var/lib/atcr-verify/kept"))]).toEqual([before, true]);
  });

  it("says that the node is not enabled when it is installed again: the policy stayed, and the link did not", async () => {
    expect(await install(DEB)).toMatch(NOT_ENABLED);
    await system.must("dpkg", "-r", "atcr-verify");
  });

  it("leaves nothing when it is purged, and installs as new after that", async () => {
    await system.must("dpkg", "-P", "atcr-verify");
    expect(
      [...OWN, "/etc/atcr-verify", "/etc/logrotate.d/atcr-verify"].filter((path) => existsSync(system.path(path))),
    ).toEqual([]);
    await install(DEB);
    expect(policy()).toContain("It trusts nobody yet");
    expect(existsSync(system.path(LINK))).toBe(false);
  });
});

/** The two lines of an installation on a node whose containerd does not run the program: how it is, and what to do. */
const NOT_ENABLED = /^atcr-verify: not enabled on this node: .*\natcr-verify: .* run: atcr-verify enable, then: /m;

const canEmulate = requirement("the program for arm64", missingTool("qemu-aarch64-static"));

describe.runIf(testable && canEmulate)("the packages for arm64", () => {
  it("are not made of a program for another machine, which would block every pull", async () => {
    const packaging = join(import.meta.dirname, "../../packaging");
    for (const [script, arch] of [
      ["build-deb.sh", "arm64"],
      ["build-rpm.sh", "aarch64"],
    ] as const) {
      const env = { PATH: process.env["PATH"] ?? "", SOURCE_DATE_EPOCH: "1" };
      const { code, stderr } = await run(join(packaging, script), [arch, "dist/atcr-verify"], { env });
      expect([code, stderr.includes("no program for")]).toEqual([1, true]);
    }
  });

  it.each([
    ["deb", `atcr-verify_${PACKAGE_VERSION}_arm64.deb`, 'dpkg-deb -x "$1" /tmp/out'],
    ["rpm", `atcr-verify-${PACKAGE_VERSION}-1.aarch64.rpm`, 'cd /tmp/out && rpm2cpio "$1" | cpio -id --quiet'],
  ])(
    "hold a program for that machine, of the same version, which passes its selftest, and say what it is made of: %s",
    async (_, name, unpack) => {
      const system = new CleanSystem("checkers");
      try {
        await system.must("sh", "-c", `mkdir /tmp/out && ${unpack}`, "sh", system.bring(packageFile(name)));
        const inside = (path: string) => readFileSync(system.path(`/tmp/out/usr/${path}`));
        const program = inside("bin/atcr-verify");
        // ELF header: e_machine, EM_AARCH64.
        expect([program.readUInt16LE(18), program.includes(`"${VERSION}"`)]).toEqual([183, true]);
        expectParts(inside("share/doc/atcr-verify/atcr-verify.cdx.json").toString(), "@oven/bun-linux-aarch64");
        const emulated = ["-L", LIBRARIES, system.path("/tmp/out/usr/bin/atcr-verify"), "selftest"];
        const { code, stdout } = await run(debianTool("qemu-aarch64-static"), emulated);
        expect([code, stdout]).toEqual([0, expect.stringContaining("all as expected")]);
      } finally {
        system.remove();
      }
    },
  );
});

describe.runIf(testable)("the .rpm", () => {
  let system: CleanSystem;
  const inside = (path: string) => system.path(`/tmp/node${path}`);
  const rpm = (...args: readonly string[]) =>
    system.must("rpm", "--root", "/tmp/node", "--nodeps", "--force-debian", ...args);
  beforeAll(async () => {
    system = new CleanSystem("checkers");
    // A root whose packages rpm does not know: only what it brings counts.
    const { code, stderr } = await run("cp", ["-a", systemRoot("clean"), inside("")]);
    expect([code, stderr]).toEqual([0, ""]);
  });
  afterAll(() => system.remove());

  it("installs, keeps an edited policy, takes the link out before it is removed, and keeps the policy", async () => {
    const file = system.bring(RPM);
    expect(await rpm("-i", file)).toMatch(NOT_ENABLED);
    // The runtime needs /proc.
    const version = "mount --bind /proc /tmp/node/proc && exec chroot /tmp/node /usr/bin/atcr-verify --version";
    expect(await system.must("sh", "-c", version)).toBe(`atcr-verify ${VERSION}\n`);
    expect(OWN.map((path) => (statSync(inside(path)).mode & 0o777).toString(8))).toEqual(["700", "700", "700", "750"]);
    expect(existsSync(inside("/opt/containerd"))).toBe(false);
    writeFileSync(inside(POLICY), "version: 1 # mine\n");
    mkdirSync(inside(BIN_DIR), { recursive: true });
    symlinkSync("../../../../usr/bin/atcr-verify", inside(LINK));
    symlinkSync("atcr-verify", inside(`${BIN_DIR}/verify`));
    expect(await rpm("-U", "--force", file)).not.toContain("not enabled");
    expect([readFileSync(inside(POLICY), "utf8"), isLink(inside(LINK))]).toEqual(["version: 1 # mine\n", true]);
    const erase = "rpm --root /tmp/node --nodeps --force-debian -e atcr-verify";
    const stuck = await system.run("sh", "-c", `${READ_ONLY.replaceAll(BIN_DIR, `/tmp/node${BIN_DIR}`)} && ${erase}`);
    expect([stuck.code, existsSync(inside("/usr/bin/atcr-verify"))]).toEqual([1, true]);
    await rpm("-e", "atcr-verify");
    expect([LINK, `${BIN_DIR}/verify`].map((link) => isLink(inside(link)))).toEqual([false, false]);
    expect(existsSync(inside("/usr/bin/atcr-verify"))).toBe(false);
    expect(readFileSync(inside(`${POLICY}.rpmsave`), "utf8")).toBe("version: 1 # mine\n");
    // The policy stayed, and the link did not.
    expect(await rpm("-i", file)).toMatch(NOT_ENABLED);
    await rpm("-e", "atcr-verify");
  });
});
