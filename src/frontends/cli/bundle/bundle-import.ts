import type { Config } from "../../../core/config/config.ts";
import { reject } from "../../../core/rejection.ts";
import type { Imported } from "../../../core/verify/import-proofs.ts";
import { importedEnds } from "../../../core/verify/piece-end.ts";
import { whyDenied } from "../../../io/fs/access.ts";
import { isAbsent } from "../../../io/fs/local-file.ts";
import { loadConfig, loadUsablePolicy } from "../../../io/settings/load-settings.ts";
import { BundleDir } from "../../../io/store/bundle-dir.ts";
import { listBundleDir } from "../../../io/store/bundle-dir-listing.ts";
import { writeEnds } from "../../../io/store/bundle-ends.ts";
import { ProcessLocks } from "../../../io/store/process-lock.ts";
import { ProvenTimes } from "../../../io/store/proven-times.ts";
import { readBundleKeys } from "../../../io/store/seal-key-files.ts";
import { SignerStore } from "../../../io/store/signer-store.ts";
import { importBundle } from "../../../verifier/service/import-bundle.ts";
import { EXIT_STATUS_DENIED } from "../../process/exit-status.ts";
import { INTERNAL, type ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount, detailLine } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { describeProof, textOfLines } from "./proof-lines.ts";
import { describeBundle, type NamedBundle, readNamedBundle, refuseFuture } from "./sealed-bundle.ts";

/** Milliseconds: ten thousand images are proven, and written with a sync each. */
const COMMAND_TIMEOUT = 3_600_000;
const IMPORT = "bundle-import";

/** `atcr-verify bundle import FILE` */
export async function bundleImport(
  { operands: [path], options }: LineOf<"bundle import">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const config = loadConfig(lifecycle.environment, options.config);
  const { bundleDir, stateDir, bundleKeys, atcrHosts } = config;
  const denied = isAbsent(bundleDir) ? undefined : whyDenied(bundleDir, "change");
  if (denied !== undefined) return lifecycle.print(detailLine(denied), EXIT_STATUS_DENIED);
  const named = await readNamedBundle(path, lifecycle);
  checkHash(named, options.sha256);
  const now = Date.now();
  refuseFuture(named, now);
  const keys = readBundleKeys(bundleKeys);
  const { warn } = lifecycle.warnings;
  const locks = new ProcessLocks(stateDir, warn);
  lifecycle.atEnd(() => locks.endAll());
  if (!(await locks.take(IMPORT))) {
    reject("input.malformed", "another import is under way on this node; run this again when it has ended");
  }
  const { sealedBy } = named;
  const how = { importedAt: now, ...(sealedBy !== undefined && { sealedBy }) };
  const directory = new BundleDir(bundleDir, () => keys, warn);
  const { results, forked } = await importBundle(named.bundle, how, {
    directory,
    signers: new SignerStore(stateDir, warn),
    times: new ProvenTimes(stateDir, warn),
    atcrHosts,
  }).catch((error: Error) => {
    lifecycle.diagnose(`the bundle is imported in part only: ${error.message}; run this again`);
    return lifecycle.print("", INTERNAL);
  });
  writeEndsOf(config, keys, now);
  const lines = [
    describeBundle(named),
    witness(named, keys),
    ...results.map(({ proof, outcome }) => `${WORDS[outcome]}: ${describeProof(proof)}`),
    ...forked.map(
      (signer) => `not imported: the log of ${signer} lacks an operation that the imported one has, and the reverse`,
    ),
    summary(results, bundleDir),
  ];
  const isWhole = forked.length === 0 && results.every(({ outcome }) => outcome !== "unproven");
  const isRemembered = !lifecycle.warnings.codes.includes("history.not_written");
  return lifecycle.print(textOfLines(lines, lifecycle.environment), isWhole && isRemembered ? 0 : 1);
}

/** For metrics: a pull does not look at all pieces. */
function writeEndsOf({ bundleDir, trustPolicyPath }: Config, keys: readonly string[], now: number): void {
  const pieces = listBundleDir(bundleDir)?.pieces ?? [];
  const policy = loadUsablePolicy(trustPolicyPath);
  const ends = policy === undefined ? [] : importedEnds(pieces, policy, keys);
  const signatures = pieces.filter(({ entries }) => entries.some(({ isNo }) => isNo !== true)).length;
  const coming = ends.flatMap(({ at }) => (at !== undefined && at > now ? [at] : []));
  if (pieces.length > 0)
    writeEnds(bundleDir, { pieces: signatures, nextEnd: coming.length === 0 ? 0 : Math.min(...coming) });
}

const WORDS: Readonly<Record<Imported["outcome"], string>> = {
  imported: "imported",
  known: "already there",
  older: "not newer than what is there, which stays",
  unproven: "not imported",
};

function checkHash({ sha256, path }: NamedBundle, expected: string | undefined): void {
  if (expected === undefined) return;
  if (!/^[0-9a-f]{64}$/.test(expected)) {
    reject("input.malformed", `--sha256 is "${expected}", expected 64 lower-case hex digits, as sha256sum prints`);
  }
  if (sha256 !== expected) {
    reject("input.digest_mismatch", `${path} has the SHA-256 ${sha256}, expected ${expected}; fetch or copy it again`);
  }
}

/** Who vouches for the time from which the window counts. */
function witness({ sealedBy }: NamedBundle, keys: readonly string[]): string {
  const counts = "offlineFor counts from the gathering, or from this import if that is earlier";
  if (sealedBy === undefined) return `not sealed: ${counts}`;
  if (keys.includes(sealedBy)) return "the seal is by a key of bundleKeys: offlineFor counts from the gathering";
  return `the seal is right, but bundleKeys does not list its key: ${counts}`;
}

function summary(results: readonly Imported[], place: string): string {
  const count = (is: (one: Imported) => boolean) => results.filter(is).length;
  const signatures = count(({ outcome, proof }) => outcome === "imported" && proof.kind === "signature");
  const parts = [
    amount(signatures, "signature"),
    `${amount(
      count(({ outcome, proof }) => outcome === "imported" && proof.kind === "no"),
      "proven absence",
    )}`,
    `${count(({ outcome }) => outcome === "known")} already there`,
    `${count(({ outcome }) => outcome === "older")} not newer`,
    `${count(({ outcome }) => outcome === "unproven")} not proven`,
  ];
  return `imported into ${place}: ${parts.join(", ")}`;
}
