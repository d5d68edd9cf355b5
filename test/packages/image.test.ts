import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ARCHITECTURES, openPackage, readLock } from "../../packaging/image/debian-packages.ts";
import { APPLETS } from "../../packaging/image/root-files.ts";
import { readTar } from "../../packaging/image/tar.ts";
import { type Containerd, startContainerd } from "../support/containerd.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { HOST_PLATFORM } from "../support/image.ts";
import {
  type ImageConfig,
  ImageLayout,
  type ImageManifest,
  LAYOUT_FILE,
  missingImage,
} from "../support/image-layout.ts";
import { VERSION } from "../support/packages.ts";
import { type Finished, makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const TAGS = [VERSION, `${VERSION}-shell`];
const CYCLONEDX = "application/vnd.cyclonedx+json";
const made = requirement("the image", missingImage());
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.runIf(made)("the image layout", () => {
  let layout: ImageLayout;
  const lock = readLock();
  beforeAll(() => {
    layout = new ImageLayout(LAYOUT_FILE);
  });
  const manifestOf = (tag: string, architecture: string) => {
    const descriptor = layout.images(tag).get(architecture);
    if (descriptor === undefined) throw new Error(`${tag} has no image for ${architecture}`);
    return layout.json<ImageManifest>(descriptor);
  };
  const everyImage = TAGS.flatMap((tag) => ARCHITECTURES.map((architecture) => [tag, architecture] as const));

  it("is the same bytes when it is built again, from elsewhere, by somebody with other habits", async () => {
    const { created, config } = layout.json<ImageConfig>(manifestOf(VERSION, "amd64").config);
    const folder = makeTemporaryDirectory("image-again");
    try {
      const env = {
        PATH: process.env["PATH"] ?? "",
        SOURCE_DATE_EPOCH: String(Date.parse(created) / 1000),
        SOURCE_REVISION: config.Labels["org.opencontainers.image.revision"] ?? "",
        TZ: "Asia/Tokyo",
        LANG: "C",
        HOME: folder,
      };
      const script = 'umask 077 && exec node "$1" "$2"';
      const args = ["-c", script, "sh", join(ROOT, "packaging/image/build-image.ts"), join(folder, "again.tar")];
      const { code, stderr } = await run("sh", args, { cwd: folder, env });
      expect([code, stderr]).toEqual([0, ""]);
      expect(hash(readFileSync(join(folder, "again.tar")))).toBe(hash(readFileSync(LAYOUT_FILE)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("has two tags, each for amd64 and arm64, and nothing that is not named", () => {
    const paths = layout.paths.filter((path) => path.startsWith("blobs/sha256/"));
    const named = new Set<string>();
    const name = ({ digest }: { digest: string }) => named.add(`blobs/${digest.replace(":", "/")}`);
    for (const descriptor of layout.listed) {
      name(descriptor);
      const {
        manifests = [],
        config,
        layers = [],
      } = layout.json<Partial<ImageManifest> & { manifests?: [] }>(descriptor);
      for (const child of manifests) {
        name(child);
        const image = layout.json<ImageManifest>(child);
        for (const part of [image.config, ...image.layers]) name(part);
      }
      for (const part of [config, ...layers]) if (part !== undefined) name(part);
    }
    expect(paths.filter((path) => path !== "blobs/sha256").toSorted()).toEqual([...named].toSorted());
    expect(layout.paths).toEqual(layout.paths.toSorted());
    expect(Buffer.from(layout.read("oci-layout")).toString()).toBe('{"imageLayoutVersion":"1.0.0"}');
    for (const tag of TAGS) expect([...layout.images(tag).keys()]).toEqual(["amd64", "arm64"]);
  });

  it.each(everyImage)("says in its configuration what it is and how it is run: %s for %s", (tag, architecture) => {
    const manifest = manifestOf(tag, architecture);
    const { config, created, architecture: said, rootfs } = layout.json<ImageConfig>(manifest.config);
    const isShell = tag.endsWith("-shell");
    expect([said, config["User"], config["Entrypoint"], config["Cmd"]]).toEqual(
      isShell
        ? [architecture, "0:0", undefined, ["/bin/sh"]]
        : [architecture, "65532:65532", ["/usr/bin/atcr-verify"], undefined],
    );
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.title": "atcr-verify",
      "org.opencontainers.image.version": tag,
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.created": created,
    });
    const archives = layout.archives(manifest);
    expect(rootfs.diff_ids).toEqual(archives.map((bytes) => `sha256:${hash(bytes)}`));
    // A layer that replaced a file of another would be larger than it looks.
    const paths = archives.flatMap((bytes) =>
      readTar(bytes).flatMap(({ path, type }) => (type === "folder" ? [] : [path])),
    );
    expect(paths).toEqual([...new Set(paths)]);
  });

  it.each(everyImage)("has files of root alone, of one time, and none with setuid: %s for %s", (tag, architecture) => {
    const manifest = manifestOf(tag, architecture);
    const { created } = layout.json<ImageConfig>(manifest.config);
    for (const archive of layout.archives(manifest)) {
      const args = ["--list", "--verbose", "--numeric-owner", "--full-time", "--utc", "--file", "-"];
      const lines = execFileSync("tar", args, { input: archive, encoding: "utf8" }).trim().split("\n");
      const time = created.replace("T", " ").replace("Z", "");
      expect(lines.filter((line) => !/^[-dl][-rwxt]{9} 0\/0 /.test(line) || !line.includes(` ${time} `))).toEqual([]);
    }
  });

  it.each(everyImage)(
    "has an SBOM as a referrer, which names the runtime and every package by its hash: %s for %s",
    (tag, architecture) => {
      const image = layout.images(tag).get(architecture);
      const referrers = layout.listed.filter((descriptor) => {
        const { subject } = layout.json<ImageManifest>(descriptor);
        return subject?.digest === image?.digest;
      });
      expect(referrers.map(({ artifactType }) => artifactType)).toEqual([CYCLONEDX]);
      const [descriptor] = referrers;
      if (descriptor === undefined) throw new Error("no referrer");
      const { layers } = layout.json<ImageManifest>(descriptor);
      expect(layers.map(({ mediaType }) => mediaType)).toEqual([CYCLONEDX]);
      const { components } = layout.json<{
        components: readonly {
          name: string;
          "bom-ref": string;
          version: string;
          hashes?: readonly { content: string }[];
        }[];
      }>(layers[0] as (typeof layers)[0]);
      const names = components.map(({ name }) => name);
      expect(names).toEqual(
        expect.arrayContaining([
          "atcr-verify",
          `@oven/bun-linux-${architecture === "amd64" ? "x64" : "aarch64"}`,
          "cborg",
        ]),
      );
      const refs = components.map((component) => component["bom-ref"]);
      expect(refs).toEqual([...new Set(refs)]);
      const isShell = tag.endsWith("-shell");
      const wanted = lock.packages
        .filter((one) => one.architecture === architecture && (isShell || /^(?:libc6|ca-certificates)$/.test(one.name)))
        .map(({ name, version, sha256 }) => [name, version, sha256]);
      const debian = components.filter((component) => component["bom-ref"].startsWith("pkg:deb/"));
      expect(debian.map(({ name, version, hashes }) => [name, version, hashes?.[0]?.content])).toEqual(wanted);
      // And the copyright of each of them is in the image.
      const files = new Map(
        layout
          .archives(manifestOf(tag, architecture))
          .flatMap((bytes) => readTar(bytes).map((entry) => [entry.path, entry])),
      );
      for (const [name = ""] of wanted) {
        const doc = files.get(`usr/share/doc/${name}`);
        const folder = doc?.type === "link" ? doc.target : name;
        expect([name, files.get(`usr/share/doc/${folder}/copyright`)?.type]).toEqual([name, "file"]);
      }
    },
  );

  it("trusts the certificate authorities that Debian's own script makes of the package", () => {
    const folder = makeTemporaryDirectory("image-certificates");
    try {
      const locked = lock.packages.find(({ name }) => name === "ca-certificates");
      if (locked === undefined) throw new Error("no ca-certificates");
      const { files } = openPackage(locked, lock, join(ROOT, "build/image"));
      for (const [path, entry] of files) {
        if (entry.type === "folder") mkdirSync(join(folder, path), { recursive: true });
        else if (entry.type === "file") writeFileSync(join(folder, path), entry.bytes);
      }
      mkdirSync(join(folder, "local"));
      const args = [
        "--default",
        "--fresh",
        "--certsdir",
        join(folder, "usr/share/ca-certificates"),
        "--etccertsdir",
        join(folder, "etc/ssl/certs"),
      ];
      const apart = [
        "--certsconf",
        "/dev/null",
        "--localcertsdir",
        join(folder, "local"),
        "--hooksdir",
        join(folder, "none"),
      ];
      execFileSync("sh", [join(folder, "usr/sbin/update-ca-certificates"), ...args, ...apart], {
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
        stdio: "ignore",
      });
      const bundle = readFileSync(join(folder, "etc/ssl/certs/ca-certificates.crt"), "utf8");
      const inImage = layout.archives(manifestOf(VERSION, "arm64")).flatMap((bytes) => readTar(bytes));
      const entry = inImage.find(({ path }) => path === "etc/ssl/certs/ca-certificates.crt");
      const text = entry?.type === "file" ? Buffer.from(entry.bytes).toString() : "";
      expect(text).toBe(bundle);
      const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
      expect(certificates.length).toBeGreaterThan(100);
      expect(certificates.filter((pem) => !new X509Certificate(pem).ca)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says where a version is that the mirror no longer has, and how to renew the lock", () => {
    const folder = makeTemporaryDirectory("image-fetch");
    const [locked] = lock.packages;
    const mirror = process.env["DEBIAN_MIRROR"];
    try {
      if (locked === undefined) throw new Error("the lock is empty");
      process.env["DEBIAN_MIRROR"] = "http://127.0.0.1:9/debian";
      const file = locked.path.split("/").at(-1) ?? "";
      const archived = `https://snapshot.debian.org/archive/debian/${lock.snapshot}/${locked.path.replace("debian/", "")}`;
      let message = "";
      try {
        openPackage(locked, lock, folder);
      } catch (error) {
        ({ message } = error as Error);
      }
      expect(message).toContain(archived);
      expect(message).toContain(join(folder, file));
      expect(message).toContain("node packaging/image/renew-packages.ts");
      // And nothing else is taken for it.
      writeFileSync(join(folder, file), "another");
      expect(() => openPackage(locked, lock, folder)).toThrow("packages.lock.json says");
    } finally {
      if (mirror === undefined) delete process.env["DEBIAN_MIRROR"];
      else process.env["DEBIAN_MIRROR"] = mirror;
      rmSync(folder, { recursive: true });
    }
  });

  it.runIf(requirement("the image for arm64", missingTool("qemu-aarch64-static"), missingRoot("files belong to root")))(
    "for arm64 has all that its programs need: the selftest passes, and every command of the shell is there",
    async () => {
      const folder = makeTemporaryDirectory("image-arm64");
      try {
        for (const archive of layout.archives(manifestOf(`${VERSION}-shell`, "arm64")))
          execFileSync("tar", ["-x", "-C", folder, "-f", "-"], { input: archive });
        const emulated = (program: string, ...args: string[]) =>
          run(debianTool("qemu-aarch64-static"), ["-L", folder, join(folder, program), ...args]);
        const { code, stdout } = await emulated("usr/bin/atcr-verify", "selftest");
        expect([code, stdout]).toEqual([0, expect.stringContaining("all as expected")]);
        const { stdout: applets } = await emulated("usr/bin/busybox", "--list");
        expect(APPLETS.filter((name) => !applets.split("\n").includes(name))).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

const TOOLS = ["containerd", "ctr", "runc", "docker-registry", "oras"];
const canRun = requirement(
  "the image in containerd",
  missingImage(),
  missingRoot("containers are run"),
  ...TOOLS.map(missingTool),
);

/** Those that ctr gives a container. */
const CAPABILITIES =
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE".split(
    " ",
  );

describe.runIf(canRun)("the image, run by containerd", () => {
  const NAME = "localhost/atcr-verify";
  let containerd: Containerd;
  let registry: Registry;
  let folder: string;
  let count = 0;
  const nextName = () => `image-test-${process.pid}-${++count}`;
  const ctr = (...args: string[]) => run(debianTool("ctr"), ["--address", containerd.socket, ...args]);
  const native = ["--snapshotter", "native"];
  /** Runs a container, with what Kubernetes's restricted profile asks for: no capabilities, a root that is only read. */
  const container = (image: string, options: readonly string[], ...args: string[]): Promise<Finished> => {
    const flags = image.endsWith("-shell")
      ? []
      : ["--read-only", ...CAPABILITIES.flatMap((name) => ["--cap-drop", `CAP_${name}`])];
    return ctr("run", "--rm", ...native, ...flags, ...options, image, nextName(), ...args);
  };
  const ctrWith = (input: string, image: string, ...args: string[]): Promise<Finished> =>
    run(debianTool("ctr"), ["--address", containerd.socket, "run", "--rm", ...native, image, nextName(), ...args], {
      input,
    });
  const program = "/usr/bin/atcr-verify";

  beforeAll(async () => {
    folder = makeTemporaryDirectory("image-run");
    const PATH = `${join(ROOT, "build/debian/containerd/usr/bin")}:${join(ROOT, "build/debian/bin")}:/usr/sbin:/usr/bin:/sbin:/bin`;
    [containerd, registry] = await Promise.all([startContainerd({ env: { PATH } }), startDockerRegistry()]);
    containerd.serve({ host: registry.host });
    const { code, stderr } = await ctr("images", "import", ...native, "--base-name", NAME, LAYOUT_FILE);
    expect([code, stderr]).toEqual([0, ""]);
  });
  afterAll(async () => {
    // One whose ctr was killed runs on, and its shim outlives containerd.
    const left = containerd === undefined ? "" : (await ctr("tasks", "list", "--quiet")).stdout.trim();
    if (left !== "") await ctr("tasks", "delete", "--force", ...left.split("\n"));
    await Promise.all([containerd?.stop(), registry?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  it("is imported from the layout, with both tags", async () => {
    expect([...(await containerd.images())].toSorted()).toEqual(TAGS.map((tag) => `${NAME}:${tag}`));
  });

  it("runs the program as 65532, which passes its selftest", async () => {
    const version = await container(`${NAME}:${VERSION}`, [], program, "--version");
    expect([version.code, version.stdout, version.stderr]).toEqual([0, `atcr-verify ${VERSION}\n`, ""]);
    const selftest = await container(`${NAME}:${VERSION}`, [], program, "selftest");
    expect([selftest.code, selftest.stdout]).toEqual([0, expect.stringContaining("all as expected")]);
    // What is mounted is read as the user of the image.
    const secret = join(folder, "secret.yaml");
    writeFileSync(secret, "version: 1\n", { mode: 0o600 });
    const mount = ["--mount", `type=bind,src=${secret},dst=/secret.yaml,options=rbind:ro`];
    const refused = await container(
      `${NAME}:${VERSION}`,
      mount,
      program,
      "policy",
      "check",
      "--offline",
      "/secret.yaml",
    );
    expect([refused.code, refused.stderr + refused.stdout]).toEqual([3, expect.stringContaining("permission denied")]);
  });

  it("does not end with 0 where its arguments were forgotten", async () => {
    const { code, stdout } = await container(`${NAME}:${VERSION}`, []);
    expect([code, stdout]).toEqual([2, expect.stringContaining("no arguments were given")]);
  });

  it("reads a policy that Kubernetes mounts from a ConfigMap", async () => {
    // As kubelet lays it: links of root, in a folder that all may write to, on a mount that is only read.
    const map = join(folder, "config-map");
    mkdirSync(join(map, "..2026_11_30"), { recursive: true });
    chmodSync(map, 0o777);
    symlinkSync("..2026_11_30", join(map, "..data"));
    symlinkSync("..data/trust-policy.yaml", join(map, "trust-policy.yaml"));
    const policy =
      "version: 1\ndefault: deny\npolicies:\n  - name: own\n    scope: registry.example.com/own/**\n    action: allow\n";
    writeFileSync(join(map, "..2026_11_30/trust-policy.yaml"), policy);
    const mount = ["--mount", `type=bind,src=${map},dst=/etc/policy,options=rbind:ro`];
    const verify = (name: string) =>
      container(
        `${NAME}:${VERSION}`,
        mount,
        program,
        "verify",
        `registry.example.com/${name}@sha256:${"1".repeat(64)}`,
        "--policy",
        "/etc/policy/trust-policy.yaml",
      );
    const [allowed, denied] = [await verify("own/app"), await verify("other/app")];
    expect([allowed.code, allowed.stdout]).toEqual([0, expect.stringMatching(/^allow exempt/)]);
    expect([denied.code, denied.stdout]).toEqual([1, expect.stringMatching(/^deny policy\.no_match/)]);
    // Nobody can write on that mount, whatever its mode is.
    expect(allowed.stderr).toBe("");
    const installed = ["--mount", `type=bind,src=${map},dst=/etc/atcr-verify,options=rbind:ro`];
    const image = `registry.example.com/own/app@sha256:${"1".repeat(64)}`;
    const unnamed = await container(`${NAME}:${VERSION}`, installed, program, "verify", image);
    expect([unnamed.code, unnamed.stdout]).toEqual([0, expect.stringMatching(/^allow exempt/)]);
  });

  it("has a variant with a shell, in which scripts and the Node of a runner work", async () => {
    const script =
      'set -eu; id -u; echo "$PATH" | tr : "\\n" | grep -c bin; atcr-verify --version; /node --version; umask; touch /file';
    const mount = ["--mount", `type=bind,src=${process.execPath},dst=/node,options=rbind:ro`];
    const { code, stdout, stderr } = await container(`${NAME}:${VERSION}-shell`, mount, "sh", "-c", script);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.split("\n")).toEqual(["0", "6", `atcr-verify ${VERSION}`, process.version, "0022", ""]);
    const { stdout: applets } = await container(`${NAME}:${VERSION}-shell`, [], "busybox", "--list");
    expect(APPLETS.filter((name) => !applets.split("\n").includes(name))).toEqual([]);
    // As GitLab's runner does it; ctr does not tell a container that its input has ended.
    const piped = await ctrWith(
      "set -eu\natcr-verify --version | cut -d ' ' -f 2\nexit\n",
      `${NAME}:${VERSION}-shell`,
      "sh",
    );
    expect([piped.code, piped.stdout]).toEqual([0, `${VERSION}\n`]);
    const none = await container(`${NAME}:${VERSION}`, [], "/bin/sh", "-c", "true");
    expect([none.code === 0, none.stderr]).toEqual([false, expect.stringContaining("no such file")]);
  });

  it("is pushed to a registry from the layout with its SBOM, pulled by containerd and run", async () => {
    const oras = (...args: string[]) => run(debianTool("oras"), args, { env: { PATH: "/usr/bin:/bin", HOME: folder } });
    for (const tag of TAGS) {
      const pushed = await oras(
        "cp",
        "-r",
        "--from-oci-layout",
        "--to-plain-http",
        `${LAYOUT_FILE}:${tag}`,
        `${registry.host}/tools/atcr-verify:${tag}`,
      );
      expect([tag, pushed.code, pushed.stderr]).toEqual([tag, 0, ""]);
      const name = `${registry.host}/tools/atcr-verify:${tag}`;
      const image = new ImageLayout(LAYOUT_FILE).images(tag).get("arm64");
      const found = await oras(
        "discover",
        "--plain-http",
        "--format",
        "json",
        `${registry.host}/tools/atcr-verify@${image?.digest}`,
      );
      expect([tag, found.code, found.stdout]).toEqual([tag, 0, expect.stringContaining(CYCLONEDX)]);
      const pulled = await containerd.pull(name, { platform: `linux/${HOST_PLATFORM.architecture}` });
      expect([tag, pulled.code, pulled.stderr]).toEqual([tag, 0, ""]);
      const { code, stdout } = await container(name, [], program, "--version");
      expect([tag, code, stdout]).toEqual([tag, 0, `atcr-verify ${VERSION}\n`]);
    }
  });
});
