import { type Handle, normaliseHandle } from "../../../core/atproto/handle.ts";
import { A_DID, type Did, isDid } from "../../../core/atproto/syntax.ts";
import { type Config, DEFAULT_CONFIG } from "../../../core/config/config.ts";
import { isAsInstalled, trustOnly } from "../../../core/policy/named-signers.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import { reject } from "../../../core/rejection.ts";
import { isAbsent } from "../../../io/fs/local-file.ts";
import { loadNamedPolicy } from "../../../io/settings/command-line-policy.ts";
import { loadPolicyFiles, type PolicyFiles } from "../../../io/settings/load-settings.ts";
import { isConfigNamed, refuseUntrusted } from "../../../io/settings/settings-files.ts";
import { lookUpIdentity } from "../../../verifier/service/look-up-identity.ts";
import { signersContext } from "../../../verifier/service/network.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { wrongWith } from "../terminal/identity-report.ts";
import type { Summary } from "./image-result.ts";

type Options = LineOf<"verify">["options"];

/** The policy to verify by; without one, images are not judged. */
export interface ChosenPolicy {
  readonly policy?: TrustPolicy;
  /** Of the file; absent where there is none. */
  readonly path?: string;
  readonly signers: Summary["signers"];
}

/**
 * The policy that the options name: a file, signers, or neither. Only where nothing at all was named, and nobody has written
 * a policy on this machine yet, there is none.
 *
 * @throws Rejection input.malformed, policy.invalid; or of a handle that cannot be resolved both ways
 */
export async function choosePolicy(
  options: Options,
  config: Config,
  lifecycle: ProcessLifecycle,
): Promise<ChosenPolicy> {
  checkOptions(options);
  const { policy: named, signer: asked, "policy-sha256": hash } = options;
  if (named !== undefined) {
    return { policy: loadNamedPolicy(named, hash, lifecycle.warnings.warn), path: named, signers: [] };
  }
  const installed = installedPolicy(options, config, lifecycle);
  const path = installed && { path: config.trustPolicyPath };
  if (asked.length === 0) {
    const isWritten = installed !== undefined && (isNamed(options, lifecycle) || !isAsInstalled(installed));
    return { ...path, ...(isWritten && { policy: installed.policy }), signers: [] };
  }
  const signers = await resolveSigners(asked, options, config, lifecycle);
  const dids = [...new Set(signers.map(({ did }) => did))];
  return { ...path, policy: trustOnly(dids, installed), signers };
}

function checkOptions({ policy, signer, "policy-sha256": hash }: Options): void {
  if (policy !== undefined && signer.length > 0) {
    reject("input.malformed", "--signer cannot be combined with --policy: the policy already says who is trusted");
  }
  if (hash === undefined) return;
  if (policy === undefined) reject("input.malformed", "--policy-sha256 needs --policy FILE, whose hash it is");
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    reject("input.malformed", `--policy-sha256 is "${hash}", expected 64 lower-case hex digits, as sha256sum prints`);
  }
}

/** Whether something names the policy or the configuration; then it must exist, and is what the caller wants. */
function isNamed({ config }: Options, { environment }: ProcessLifecycle): boolean {
  return config !== undefined || isConfigNamed(environment);
}

/** The configuration's policy; undefined only where it is the default one, nothing was named, and it does not exist. */
function installedPolicy(options: Options, config: Config, lifecycle: ProcessLifecycle): PolicyFiles | undefined {
  const { trustPolicyPath: path } = config;
  const mayBeAbsent = path === DEFAULT_CONFIG.trustPolicyPath && !isNamed(options, lifecycle);
  return mayBeAbsent && isAbsent(path) ? undefined : loadPolicyFiles(path, refuseUntrusted);
}

/** Each signer with its DID; a handle must name a DID, and that DID must claim the handle. */
async function resolveSigners(
  asked: readonly string[],
  { stateless }: Options,
  config: Config,
  lifecycle: ProcessLifecycle,
): Promise<readonly { readonly asked: string; readonly did: Did }[]> {
  return Promise.all(
    asked.map(async (text) => {
      const signer = readSigner(text);
      if (isDid(signer)) return { asked: text, did: signer };
      if (config.offline) {
        reject(
          "input.malformed",
          `--signer ${text} cannot be looked up, as the configuration says offline: true; name the DID`,
        );
      }
      const session = sessionOf(lifecycle);
      const found = await lookUpIdentity(signer, signersContext(config, lifecycle.environment, session, stateless));
      const wrong = wrongWith(found);
      if (wrong !== undefined) reject(wrong.code, wrong.detail);
      return { asked: text, did: found.proof.did };
    }),
  );
}

function readSigner(text: string): Did | Handle {
  if (isDid(text)) return text;
  const expected = text.startsWith("did:") ? A_DID : "a DID, or a handle such as alice.example.com";
  return normaliseHandle(text) ?? reject("input.malformed", `--signer is "${text}", expected ${expected}`);
}
