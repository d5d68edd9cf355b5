/**
 * cosign and notation, of Debian, as they are set up on a machine that verifies images with a key of its own and
 * asks no transparency log: what they do at a pull is then comparable.
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { debianTool } from "../support/debian-tools.ts";

const execute = promisify(execFile);

export interface Peer {
  readonly name: "cosign" | "notation";
  /** Verifies this image. */
  readonly command: (image: string) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Exit code for an image that is not signed. */
  readonly refused: number;
}

/**
 * Signs an image with each of them, in a repository of their own: none looks at another's signatures.
 *
 * @param folder where their keys may lie
 * @param images `HOST/PATH@DIGEST` for each
 * @param ca file of the registry's certificate authority
 * @param more images that cosign signs as well
 */
export async function preparePeers(
  folder: string,
  images: Readonly<Record<Peer["name"], string>>,
  ca: string,
  more: readonly string[] = [],
): Promise<readonly Peer[]> {
  const home = join(folder, "peers");
  mkdirSync(home);
  const env = { HOME: home, XDG_CONFIG_HOME: home, PATH: "/usr/bin:/bin", SSL_CERT_FILE: ca, COSIGN_PASSWORD: "" };
  const run = (program: string, ...args: string[]) => execute(program, args, { env, cwd: home });

  const cosign = debianTool("cosign");
  await run(cosign, "generate-key-pair");
  const alone = ["--tlog-upload=false", "--use-signing-config=false"];
  await run(cosign, "sign", "--yes", "--key=cosign.key", ...alone, images.cosign, ...more);

  const notation = debianTool("notation");
  await run(notation, "cert", "generate-test", "--default", "bench");
  const policy = {
    version: "1.0",
    trustPolicies: [
      {
        name: "bench",
        registryScopes: ["*"],
        signatureVerification: { level: "strict" },
        trustStores: ["ca:bench"],
        trustedIdentities: ["*"],
      },
    ],
  };
  writeFileSync(join(home, "notation/trustpolicy.json"), JSON.stringify(policy), { mode: 0o600 });
  await run(notation, "sign", images.notation);

  const key = join(home, "cosign.pub");
  return [
    {
      name: "cosign",
      command: (name) => [cosign, "verify", `--key=${key}`, "--insecure-ignore-tlog=true", name],
      env,
      refused: 10,
    },
    { name: "notation", command: (name) => [notation, "verify", name], env, refused: 1 },
  ];
}
