import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";
import { listenText } from "../core/config/listen-address.ts";
import type { LookasideSettings } from "../core/config/lookaside-settings.ts";
import { PROBE_PATH } from "../core/oci/reserved-name.ts";
import { isDenied } from "../io/fs/denied.ts";
import { readKeyFile } from "../io/keys/node-key.ts";
import { askLookaside } from "../platform/containers/ask-lookaside.ts";
import type { CrioPolicies } from "../platform/containers/overriding-files.ts";
import type { PortOwner } from "../platform/containers/port-owner.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

const UNIT = "atcr-verify-lookaside.socket";
const FORBIDDEN = 403;
const DAEMON = "containers-daemon";
/** Of packaging/system/sysusers.conf. */
const DAEMON_USER = "atcr-verify-lookaside";

/** Whether the lookaside responder at the address is this very program: it refuses the name of the probe. @param host of the policy */
export async function checkLookaside(
  { address, port }: LookasideSettings,
  host: string,
  build: string,
): Promise<CheckResult> {
  const digest = randomBytes(32).toString("hex");
  const target = `/${host}/${PROBE_PATH}/${randomBytes(8).toString("hex")}@sha256=${digest}/signature-1`;
  const answer = await askLookaside(address, port, target);
  const where = listenText({ address, port });
  if (typeof answer === "string") {
    const found = `the lookaside responder does not answer at ${where}: ${answer}; podman and CRI-O refuse the images of the policy's registries`;
    return problem(DAEMON, found, `run: systemctl enable --now ${UNIT}`);
  }
  const [, by] =
    /^deny policy\.probe: atcr-verify (.{1,100}?) was asked about sha256:[0-9a-f]{64}\b/.exec(answer.phrase) ?? [];
  const isOurs = answer.status === FORBIDDEN && by !== undefined && answer.phrase.includes(`sha256:${digest}`);
  if (!isOurs) {
    const found = `another program answers at ${where}, or one that is too old: ${answer.status} ${answer.phrase}`;
    return problem(DAEMON, found, `stop it, and run: systemctl restart ${UNIT}`);
  }
  if (by !== build) {
    const found = `at ${where}, atcr-verify ${by} answers, not this build, ${build}`;
    return warning(DAEMON, found, "run: systemctl restart atcr-verify-lookaside.service");
  }
  return ok(DAEMON, `atcr-verify ${by} answers at ${where}`);
}

/**
 * Whether someone else could take the lookaside responder's port while it is stopped. They have no key, but a signature has no end, and
 * any user can have asked for it before.
 */
export function checkPort({ port }: Pick<LookasideSettings, "port">, { users, isPrivileged }: PortOwner): CheckResult {
  const name = "containers-port";
  const others = users.filter((user) => user !== 0);
  if (users.length > 0 && others.length === 0) return ok(name, `root, so usually systemd, holds port ${port}`);
  if (users.length === 0 && isPrivileged) return ok(name, `only root can take port ${port}`);
  const held =
    users.length > 0
      ? `user ${others.join(" and user ")}, not systemd, holds port ${port}`
      : `no process holds port ${port}, and every user can take it`;
  const found = `${held}: who takes the port can refuse every pull, and replay signatures of images that were allowed once, also after they were revoked`;
  return problem(name, found, `let systemd hold it, by ${UNIT}, and choose a port below 1024`);
}

/**
 * Whether the key that policy.json names is the lookaside responder's, and this machine's. The files belong to its user, so
 * their owner is not looked at: nothing of them is trusted here.
 *
 * @param foreign why the key is another machine's, as a sentence without a full stop
 */
export function checkNodeKey(
  { keyFile }: Pick<LookasideSettings, "keyFile">,
  foreign: () => string | undefined,
): CheckResult {
  const name = "containers-key";
  const anew = `run: runuser -u ${DAEMON_USER} -- atcr-verify lookaside --new-key, and restart the lookaside responder`;
  const unread = (error: unknown): CheckResult =>
    isDenied(error)
      ? unseen(name, "whether podman and CRI-O check the lookaside responder's own key", keyFile)
      : problem(name, `the key cannot be used: ${(error as Error).message}`, anew);
  try {
    const shown = textOf(`${keyFile}.pub`);
    if (shown === undefined) {
      const found = `there is no ${keyFile}.pub, without which podman and CRI-O refuse the policy's registries; the lookaside responder makes it when it is first asked`;
      return warning(name, found, `run: systemctl enable --now ${UNIT}`);
    }
    const secret = textOf(keyFile);
    if (secret === undefined) return problem(name, `there is ${keyFile}.pub, but no ${keyFile}`, anew);
    const why = foreign();
    if (why !== undefined)
      return problem(name, `${why}: anyone who has the other machine's copy can sign for this one`, anew);
    const derived = createPublicKey(createPrivateKey(secret)).export({ type: "spki", format: "pem" });
    if (derived !== createPublicKey(shown).export({ type: "spki", format: "pem" })) {
      return problem(name, `${keyFile}.pub is not the public key of ${keyFile}: every signature is refused`, anew);
    }
    return ok(name, `${keyFile}.pub is this machine's own key`);
  } catch (error) {
    return unread(error);
  }
}

/** Files of a user that count instead of those in /etc/containers. */
export function checkUsers(ofUser: readonly string[], policyPath: string): readonly CheckResult[] {
  return ofUser.map((path) =>
    problem(
      "containers-user",
      `${path} counts instead of ${policyPath} and registries.d for this user's podman and skopeo`,
      "remove it",
    ),
  );
}

/** Files that CRI-O reads instead. */
export function checkCrio(crio: CrioPolicies, policyPath: string): readonly CheckResult[] {
  const counting = crio.named.at(-1);
  return [
    ...(counting !== undefined && counting.policy !== policyPath
      ? [
          problem(
            "containers-crio",
            `${counting.file} has CRI-O read ${counting.policy} instead of ${policyPath}`,
            `set signature_policy = "${policyPath}" under [crio.image], without --signature-policy, and restart crio`,
          ),
        ]
      : []),
    ...crio.ofNamespaces.map((path) =>
      problem(
        "containers-crio",
        `CRI-O reads ${path} for the pods of one namespace, instead of ${policyPath}`,
        "remove it",
      ),
    ),
    ...crio.unread.map((why) =>
      warning("containers-crio", `it is not known which policy CRI-O reads: ${why}`, "check signature_policy by hand"),
    ),
  ];
}

/** @returns undefined where there is no such file @throws Error of the file system */
function textOf(path: string): string | undefined {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? undefined : readKeyFile(path).text;
}
