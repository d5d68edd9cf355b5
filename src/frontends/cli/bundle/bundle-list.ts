import type { Config } from "../../../core/config/config.ts";
import { DEFAULT_CONFIG } from "../../../core/config/config.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { gatheredAtOf } from "../../../core/evidence/bundled-image.ts";
import { asOutside } from "../../../core/evidence/imported-piece.ts";
import type { Digest } from "../../../core/oci/digest.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import { type BundleProof, ProvenIdentities, provenOf } from "../../../core/verify/bundle-proof.ts";
import { endsOf, type PieceEnd, stateOf } from "../../../core/verify/piece-end.ts";
import { isAbsent } from "../../../io/fs/local-file.ts";
import { loadConfig, loadPolicy } from "../../../io/settings/load-settings.ts";
import { listBundleDir } from "../../../io/store/bundle-dir-listing.ts";
import { readBundleKeys } from "../../../io/store/seal-key-files.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { describeProof, textOfLines } from "./proof-lines.ts";
import { describeBundle, readNamedBundle } from "./sealed-bundle.ts";

/** Milliseconds: a bundle of ten thousand images is proven. */
const COMMAND_TIMEOUT = 600_000;

/** What is listed of one signature's evidence. */
interface Listed {
  readonly proof: BundleProof;
  /** Who vouches for the time, and from when the window counts. */
  readonly witness: { readonly kind: "seal" | "import" | "none"; readonly at: number; readonly key?: string };
  readonly ends: readonly PieceEnd[];
}

/** `atcr-verify bundle list [FILE]` */
export async function bundleList(
  { operands: [path], options }: LineOf<"bundle list">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const config = loadConfig(lifecycle.environment, options.config);
  const policy = policyFor(options.policy, config);
  const keys = readBundleKeys(config.bundleKeys);
  const now = Date.now();
  const found =
    path === undefined ? listImported(config, keys, policy) : await listFile(path, keys, config, policy, lifecycle);
  const isWhole = found.unusable.length === 0 && found.listed.every(({ proof, ends }) => isGood(proof, ends, now));
  const lines = [...found.title, ...found.listed.flatMap((one) => linesOf(one, now)), ...found.unusable];
  const json = { ...found.json, images: found.listed.map((one) => toJson(one, now)), unusable: found.unusable };
  return lifecycle.print(
    options.output === "json" ? jsonText(json) : textOfLines(lines, lifecycle.environment),
    isWhole ? 0 : 1,
  );
}

interface Found {
  readonly title: readonly string[];
  readonly json: object;
  readonly listed: readonly Listed[];
  readonly unusable: readonly string[];
}

async function listFile(
  path: string,
  keys: readonly string[],
  { atcrHosts }: Config,
  policy: TrustPolicy | undefined,
  lifecycle: ProcessLifecycle,
): Promise<Found> {
  const named = await readNamedBundle(path, lifecycle);
  const { bundle, sealedBy, sha256 } = named;
  const identities = new ProvenIdentities();
  const listed = bundle.images.flatMap((image) =>
    [...provenOf(image, atcrHosts, identities)].map((proof): Listed => {
      const isSealed = sealedBy !== undefined && keys.includes(sealedBy);
      const { gatheredAt: at } = proof;
      const witness = isSealed ? { kind: "seal" as const, key: sealedBy, at } : { kind: "none" as const, at };
      return { proof, witness, ends: endsFor(policy, proof, at) };
    }),
  );
  const json = { file: path, gatheredAt: formatDateTime(bundle.gatheredAt), sha256, ...(sealedBy && { sealedBy }) };
  const count = `${amount(bundle.images.length, "image")}`;
  return { title: [`${describeBundle(named)}: ${count}`], json, listed, unusable: [] };
}

function listImported(
  { bundleDir, atcrHosts }: Config,
  keys: readonly string[],
  policy: TrustPolicy | undefined,
): Found {
  const listing = listBundleDir(bundleDir);
  const identities = new ProvenIdentities();
  const listed = (listing?.pieces ?? []).flatMap(({ digest, entries }) =>
    entries.flatMap((entry) => {
      const { names, signature, owner } = entry;
      const evidence = { pointers: [], signatures: [signature], gaps: [], ...(owner && { owner }) };
      const { witness } = asOutside(entry, keys);
      return [...provenOf({ digest, names, evidence }, atcrHosts, identities)].map(
        (proof): Listed => ({ proof, witness, ends: endsFor(policy, proof, witness.at) }),
      );
    }),
  );
  const title = listed.length === 0 ? [`nothing was imported into ${bundleDir}`] : [`imported into ${bundleDir}:`];
  return { title, json: { bundleDir }, listed, unusable: listing?.unusable ?? [] };
}

/** The policy that was named, or the installed one; a machine that only makes bundles may have none. */
function policyFor(named: string | undefined, { trustPolicyPath }: Config): TrustPolicy | undefined {
  if (named !== undefined) return loadPolicy(named);
  const mayBeAbsent = trustPolicyPath === DEFAULT_CONFIG.trustPolicyPath;
  return mayBeAbsent && isAbsent(trustPolicyPath) ? undefined : loadPolicy(trustPolicyPath);
}

function endsFor(
  policy: TrustPolicy | undefined,
  { names, digest }: { readonly names: readonly string[]; readonly digest: Digest },
  from: number,
): readonly PieceEnd[] {
  return policy === undefined ? [] : endsOf(policy, { names, digest, from });
}

/** A no does not end: the node remembers it. */
function isGood({ kind }: BundleProof, ends: readonly PieceEnd[], now: number): boolean {
  if (kind === "unproven") return false;
  return kind === "no" || ends.every((end) => stateOf(end, now) !== "ended");
}

function linesOf({ proof, witness, ends }: Listed, now: number): readonly string[] {
  const vouched = {
    seal: `sealed by ${witness.key}`,
    import: `imported, counts from ${formatDateTime(witness.at)}`,
    none: "not sealed by a key that is in bundleKeys on this machine",
  };
  const shown = proof.kind === "signature" ? ends : [];
  return [
    describeProof(proof),
    `  ${vouched[witness.kind]}`,
    ...shown.map((end) => {
      const state = stateOf(end, now);
      const when = end.at === undefined ? "" : `${state === "counts" ? "" : " at"} ${formatDateTime(end.at)}`;
      const what = {
        "not accepted": "no offlineFor in",
        ended: "ended",
        "ends soon": "ends soon",
        counts: "counts until",
      }[state];
      return `  ${end.name}: ${what}${when}${state === "not accepted" ? "" : ", by"} rule "${end.rule}"`;
    }),
  ];
}

function toJson({ proof, witness, ends }: Listed, now: number) {
  const { digest, signer, names, kind, rev, tag, attempt, signature } = proof;
  return {
    digest,
    signer,
    names,
    proves: kind,
    ...("finding" in attempt && { code: attempt.finding.code, detail: attempt.finding.detail }),
    ...(rev !== undefined && { rev }),
    ...(tag !== undefined && { tag }),
    gatheredAt: formatDateTime(gatheredAtOf(signature)),
    witness: { ...witness, at: formatDateTime(witness.at) },
    ends: ends.map((end) => ({
      name: end.name,
      rule: end.rule,
      ...(end.at !== undefined && { at: formatDateTime(end.at) }),
      state: stateOf(end, now),
    })),
  };
}
