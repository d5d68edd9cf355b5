import { insteadOfHandle } from "../../../core/atproto/handle.ts";
import { A_DID, type Did, isDid, tidTime } from "../../../core/atproto/syntax.ts";
import type { Config } from "../../../core/config/config.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { reject } from "../../../core/rejection.ts";
import { PROGRAM } from "../../../core/version.ts";
import type { Warning } from "../../../core/warning.ts";
import { whyDenied } from "../../../io/fs/access.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { CacheKey } from "../../../io/store/cache-key.ts";
import { EvidenceCache } from "../../../io/store/evidence-cache.ts";
import { type Remembered, SignerStore } from "../../../io/store/signer-store.ts";
import { EXIT_STATUS_DENIED } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { folded, screenOf } from "../terminal/screen.ts";

/** The consequences, printed after `state forget`. */
const FORGOTTEN = `forgotten, together with its cached evidence.
From now on a rollback of this signer to an older state is not detected, and minKeyAge counts every key
from the next pull.
`;

/** `atcr-verify state show [DID]`: what this node has recorded about signers. */
export async function stateShow(
  { operands, options }: LineOf<"state show">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [text] = operands;
  const signer = text === undefined ? undefined : readDid(text);
  return show(signer, openState(options, "read", lifecycle));
}

/** `atcr-verify state forget DID` */
export async function stateForget(
  { operands, options }: LineOf<"state forget">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [text] = operands;
  const signer = readDid(text);
  return forget(signer, openState(options, "change", lifecycle));
}

interface OpenState {
  readonly config: Config;
  readonly lifecycle: ProcessLifecycle;
  readonly form: "text" | "json";
}

function openState(
  { config: named, output: form }: LineOf<"state show">["options"],
  to: "read" | "change",
  lifecycle: ProcessLifecycle,
): OpenState {
  const config = loadConfig(lifecycle.environment, named);
  lifecycle.setDeadline(config.deadline);
  const denied = whyDenied(config.stateDir, to);
  if (denied !== undefined) {
    const json = {
      stateDir: config.stateDir,
      signers: [],
      warnings: [{ code: "access.denied", message: denied } satisfies Warning],
    };
    return lifecycle.print(form === "json" ? jsonText(json) : detailLine(denied), EXIT_STATUS_DENIED);
  }
  return { config, lifecycle, form };
}

function readDid(text: string): Did {
  return isDid(text)
    ? text
    : reject("input.malformed", `found "${text}", expected ${[A_DID, insteadOfHandle(text) ?? []].flat().join("; ")}`);
}

async function show(signer: Did | undefined, { config, lifecycle, form }: OpenState): Promise<never> {
  const { stateDir } = config;
  const signers = new SignerStore(stateDir, lifecycle.warnings.warn);
  const remembered = await lifecycle.deadline.track(stateDir, () => loadHistory(signers, signer));
  const warnings = lifecycle.warnings.all;
  const whose = signer === undefined ? "" : ` about ${signer}`;
  const nothing =
    warnings.length === 0
      ? `nothing is recorded${whose} in ${stateDir}`
      : `the signer history in ${stateDir} cannot be read: ${warnings.map(({ message }) => message).join("; ")}`;
  const text = folded(remembered.map(describe).join("") || detailLine(nothing), screenOf(lifecycle.environment));
  const json = { stateDir, signers: remembered.map(toJson), warnings };
  const isMissing = signer !== undefined && remembered.length === 0;
  return lifecycle.print(form === "json" ? jsonText(json) : text, warnings.length === 0 && !isMissing ? 0 : 1);
}

async function forget(signer: Did, { config, lifecycle, form }: OpenState): Promise<never> {
  const { stateDir, cacheDir } = config;
  const signers = new SignerStore(stateDir, lifecycle.warnings.warn);
  const [known] = await lifecycle.deadline.track(stateDir, () => loadHistory(signers, signer));
  const forgotten = await lifecycle.deadline.track(stateDir, () => forgetSigner(signers, signer, stateDir));
  await lifecycle.deadline.track(cacheDir, () =>
    new EvidenceCache(
      cacheDir,
      PROGRAM,
      new CacheKey(lifecycle.environment, lifecycle.warnings.warn),
      lifecycle.warnings.warn,
    ).drop(signer, { now: Date.now() }),
  );
  const json = {
    stateDir,
    signer,
    forgotten,
    ...(known !== undefined && { was: toJson(known) }),
    warnings: lifecycle.warnings.all,
  };
  const said = forgotten
    ? `${known === undefined ? "" : describe(known)}${FORGOTTEN}`
    : `nothing is recorded about ${signer}\n`;
  return lifecycle.print(form === "json" ? jsonText(json) : said, forgotten ? 0 : 1);
}

async function loadHistory(signers: SignerStore, signer: Did | undefined): Promise<readonly Remembered[]> {
  if (signer === undefined) return signers.list(Date.now());
  const memory = await signers.loadHistory(signer, Date.now());
  const { rev, operations, keys } = memory;
  return rev === undefined && operations.size === 0 && keys.size === 0 ? [] : [{ signer, memory }];
}

async function forgetSigner(signers: SignerStore, signer: Did, stateDir: string): Promise<boolean> {
  try {
    return await signers.forget(signer);
  } catch (error) {
    const { message } = error as Error;
    return reject(
      "config.invalid",
      `what is recorded about ${signer} in the stateDir ${stateDir} cannot be removed: ${message}`,
      error,
    );
  }
}

function describe({ signer, memory: { rev, operations, keys } }: Remembered): string {
  const seen = [...keys].map(([key, at]) => `  key ${key}, first seen ${formatDateTime(at)}\n`);
  const newest = rev === undefined ? "" : `  newest rev ${rev} (${formatDateTime(tidTime(rev))})\n`;
  return `${signer}\n${newest}  log operations: ${operations.size}\n${seen.join("")}`;
}

function toJson({ signer, memory: { rev, operations, keys } }: Remembered) {
  return {
    signer,
    ...(rev !== undefined && { rev, revTime: formatDateTime(tidTime(rev)) }),
    operations: operations.size,
    keys: [...keys].map(([key, at]) => ({ key, firstSeen: formatDateTime(at) })),
  };
}
