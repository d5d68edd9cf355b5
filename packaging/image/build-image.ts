/**
 * Writes the image for amd64 and arm64, without a container engine: `node packaging/image/build-image.ts FILE`.
 *
 * FILE is an OCI image layout as one tar, with two tags: the version, with the program alone, and the version with `-shell`,
 * for pipelines whose steps are scripts. Each image has an SBOM as a referrer. The same programs, lock file and
 * SOURCE_DATE_EPOCH give the same bytes. SOURCE_REVISION becomes a label.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURES, type Architecture, type DebianPackage, openPackage, readLock } from "./debian-packages.ts";
import { Layout, MEDIA_TYPE, type Platform } from "./layout.ts";
import { baseLayer, packagesOf, programLayer, shellLayer, USER } from "./root-files.ts";

const ROOT = join(import.meta.dirname, "../..");
const [target = ""] = process.argv.slice(2);
const epoch = Number(process.env["SOURCE_DATE_EPOCH"] || Number.NaN);
if (target === "") throw new Error("usage: node packaging/image/build-image.ts FILE");
if (!Number.isSafeInteger(epoch))
  throw new Error(
    "SOURCE_DATE_EPOCH is not set, and there is no git log to take it from: the time of all files, seconds since 1970",
  );

const { version, license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<string, string>;
const PLATFORMS: Readonly<Record<Architecture, Platform & { readonly dist: string }>> = {
  amd64: { architecture: "amd64", os: "linux", dist: "dist" },
  arm64: { architecture: "arm64", os: "linux", variant: "v8", dist: "dist/arm64" },
};
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const RUN = {
  plain: { User: `${USER}:${USER}`, Env: [`PATH=${PATH}`], Entrypoint: ["/usr/bin/atcr-verify"], WorkingDir: "/" },
  // Root, and no entry point: runners of pipelines start a shell in it, and write files that belong to others.
  shell: { User: "0:0", Env: [`PATH=${PATH}`], Cmd: ["/bin/sh"], WorkingDir: "/" },
} as const;
type Variant = keyof typeof RUN;
const VARIANTS = ["plain", "shell"] as const satisfies readonly Variant[];

const layout = new Layout(epoch);
const lock = readLock();

/** The tag of a variant, which is also what the labels call the version. */
const tagOf = (variant: Variant): string => (variant === "plain" ? `${version}` : `${version}-shell`);

function labelsOf(variant: Variant): Readonly<Record<string, string>> {
  const revision = process.env["SOURCE_REVISION"] ?? "";
  const labels = {
    title: "atcr-verify",
    description: `Verifies that a trusted signer has signed exactly this image in their ATProto repository${variant === "shell" ? "; with a shell, for pipelines" : ""}`,
    version: tagOf(variant),
    licenses: `${license}`,
    created: layout.created,
    ...(revision !== "" && { revision }),
  };
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [`org.opencontainers.image.${name}`, value]));
}

/** The program's own, with the packages of Debian. */
function sbomOf(variant: Variant, program: Uint8Array, packages: readonly DebianPackage[]): Buffer {
  const bom = JSON.parse(Buffer.from(program).toString()) as { metadata: { component: object }; components: object[] };
  const components = packages.map(({ name, version: of, path, sha256, architecture }) => {
    const owner = path.endsWith("_all.deb") ? "all" : architecture;
    const purl = `pkg:deb/debian/${name.replaceAll("+", "%2B")}@${encodeURIComponent(of)}?arch=${owner}&distro=debian-13`;
    return {
      type: "library",
      "bom-ref": purl,
      name,
      version: of,
      hashes: [{ alg: "SHA-256", content: sha256 }],
      licenses: [{ license: { name: `as in /usr/share/doc/${name}/copyright` } }],
      purl,
    };
  });
  const component = {
    type: "container",
    "bom-ref": `atcr-verify:${tagOf(variant)}`,
    name: "atcr-verify",
    version: tagOf(variant),
  };
  const whole = {
    ...bom,
    metadata: { ...bom.metadata, component },
    components: [bom.metadata.component, ...bom.components, ...components],
  };
  return Buffer.from(`${JSON.stringify(whole)}\n`);
}

const built = await Promise.all(
  ARCHITECTURES.map(async (architecture) => {
    const { dist, ...platform } = PLATFORMS[architecture];
    const wanted = lock.packages.filter((one) => one.architecture === architecture);
    const packages = new Map(wanted.map((one) => [one.name, openPackage(one, lock, join(ROOT, "build/image"))]));
    const sbom = readFileSync(join(ROOT, dist, "atcr-verify.cdx.json"));
    const [base, shell, program] = await Promise.all([
      layout.addLayer(baseLayer(packages, architecture), "libc and certificates, from packages of Debian"),
      layout.addLayer(shellLayer(packages, architecture), "a shell, from packages of Debian"),
      layout.addLayer(programLayer(readFileSync(join(ROOT, dist, "atcr-verify")), sbom), "atcr-verify"),
    ]);
    return { platform, packages, sbom, layers: { plain: [base, program], shell: [base, shell, program] } };
  }),
);
for (const variant of VARIANTS) {
  const Labels = labelsOf(variant);
  const images = built.map(({ platform, packages, sbom, layers }) => {
    const image = layout.addImage(platform, layers[variant], { ...RUN[variant], Labels }, Labels);
    layout.addReferrer(image, MEDIA_TYPE.cyclonedx, sbomOf(variant, sbom, packagesOf(packages, variant === "shell")), {
      "org.opencontainers.image.created": layout.created,
    });
    return image;
  });
  const { digest } = layout.addIndex(tagOf(variant), images, Labels);
  console.log(`${tagOf(variant)} ${digest}`);
}
writeFileSync(`${target}.new`, layout.toTar());
renameSync(`${target}.new`, target);
