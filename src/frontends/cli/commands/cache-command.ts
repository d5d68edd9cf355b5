import { insteadOfHandle } from "../../../core/atproto/handle.ts";
import { type Did, isDid } from "../../../core/atproto/syntax.ts";
import type { Config } from "../../../core/config/config.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { type Digest, isDigest } from "../../../core/oci/digest.ts";
import { reject } from "../../../core/rejection.ts";
import { isFresh } from "../../../core/verify/freshness.ts";
import { attempt } from "../../../core/verify/prove.ts";
import type { Attempt } from "../../../core/verify/verdict.ts";
import { PROGRAM } from "../../../core/version.ts";
import type { Warning } from "../../../core/warning.ts";
import { whyDenied } from "../../../io/fs/access.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { CacheKey } from "../../../io/store/cache-key.ts";
import { type CachedFile, cachedSubject, clearCache, listCache } from "../../../io/store/cache-listing.ts";
import { EvidenceCache } from "../../../io/store/evidence-cache.ts";
import { EXIT_STATUS_DENIED } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount, detailLine, jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { aligned, folded, screenOf } from "../terminal/screen.ts";

/** `atcr-verify cache list`: the cached evidence, fresh and expired. */
export async function cacheList({ options }: LineOf<"cache list">, lifecycle: ProcessLifecycle): Promise<never> {
  return list(openCache(options, "read", lifecycle));
}

/** `atcr-verify cache show sha256:DIGEST` */
export async function cacheShow(
  { operands, options }: LineOf<"cache show">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [digest] = operands;
  if (!isDigest(digest)) reject("input.malformed", `found "${digest}", expected sha256: and 64 hex digits`);
  return show(digest, openCache(options, "read", lifecycle));
}

/** `atcr-verify cache clear [sha256:DIGEST|DID]` */
export async function cacheClear(
  { operands, options }: LineOf<"cache clear">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [about] = operands;
  if (about !== undefined && !isDigest(about) && !isDid(about)) {
    const expected = ["sha256: and 64 hex digits, or a DID", insteadOfHandle(about) ?? []].flat().join("; ");
    reject("input.malformed", `found "${about}", expected ${expected}`);
  }
  return clear(about, openCache(options, "change", lifecycle));
}

interface OpenedCache {
  readonly config: Config;
  readonly lifecycle: ProcessLifecycle;
  readonly key: CacheKey;
  readonly isJson: boolean;
}

function openCache(
  { config: named, output }: LineOf<"cache list">["options"],
  to: "read" | "change",
  lifecycle: ProcessLifecycle,
): OpenedCache {
  const config = loadConfig(lifecycle.environment, named);
  lifecycle.setDeadline(config.deadline);
  const isJson = output === "json";
  const denied = whyDenied(config.cacheDir, to);
  if (denied !== undefined) {
    const json = {
      cacheDir: config.cacheDir,
      pieces: [],
      warnings: [{ code: "access.denied", message: denied } satisfies Warning],
    };
    return lifecycle.print(isJson ? jsonText(json) : detailLine(denied), EXIT_STATUS_DENIED);
  }
  const key = new CacheKey(lifecycle.environment, lifecycle.warnings.warn);
  key.keepOutOf(config.stateDir, config.cacheDir);
  return { config, lifecycle, key, isJson };
}

/** The cached files; one warning for all files that this user may not read. */
function listed({ config: { cacheDir }, key, lifecycle }: OpenedCache): {
  pieces: readonly CachedFile[];
  denied: number;
} {
  let denied = 0;
  const pieces = listCache(cacheDir, key, (warning) => {
    if (warning.code === "access.denied") denied++;
    else lifecycle.warnings.warn(warning);
  });
  const message = `${amount(denied, "file")} in ${cacheDir} could not be read: run this as root`;
  if (denied > 0) lifecycle.warnings.warn({ code: "access.denied", message });
  return { pieces, denied };
}

function list(question: OpenedCache): never {
  const { config, lifecycle, isJson } = question;
  const { cacheDir } = config;
  const now = Date.now();
  const found = listed(question);
  const warnings = lifecycle.warnings.all;
  const pieces = found.pieces.map((piece) => described(piece, config, now));
  // Whether the cache is empty is unknown.
  if (pieces.length === 0 && found.denied > 0 && !isJson) return lifecycle.print("", 1);
  const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  // What could not be read was left out, with a warning.
  const isEmpty = pieces.length === 0 && warnings.length === 0;
  const files = `${amount(pieces.length, "file")} of ${amount(bytes, "byte")} in ${cacheDir}`;
  const summary = `${isEmpty ? `the cache is empty: ${cacheDir}` : files}; cacheTTL is ${config.cacheTTL / 1000} s${
    config.cacheEnabled ? "" : "; cacheEnabled is false, so every pull uses the network"
  }`;
  const rows = pieces.map(({ kind, about = "-", digest = "-", at = "-", fresh, bytes: size }) =>
    [kind, digest, about, at, fresh === undefined ? "-" : stateOf(fresh), String(size)].map(printable),
  );
  const head = ["KIND", "DIGEST", "SIGNER-OR-HANDLE", "FETCHED", "STATE", "BYTES"];
  const screen = screenOf(lifecycle.environment);
  const text =
    rows.length === 0
      ? []
      : aligned([head, ...rows], screen)
          .flatMap((row) => row.split("\n"))
          .map(detailLine);
  return lifecycle.print(
    isJson ? jsonText({ cacheDir, pieces, warnings }) : `${text.join("")}${folded(detailLine(summary), screen)}`,
    warnings.length === 0 ? 0 : 1,
  );
}

/** Expired evidence is used only under a rule's `maxStaleness`, while a service cannot be reached. */
function stateOf(fresh: boolean): string {
  return fresh ? "fresh" : "expired";
}

function described(piece: CachedFile, { cacheEnabled, cacheTTL }: Config, now: number) {
  const { kind, file, bytes, bundle, at } = piece;
  const about = cachedSubject(piece);
  return {
    kind,
    file,
    bytes,
    ...(about !== undefined && { about }),
    ...(bundle && { digest: bundle.digest }),
    ...(at !== undefined && { at: formatDateTime(at), fresh: cacheEnabled && isFresh([at], now, cacheTTL) }),
  };
}

/** The evidence for one digest, verified again now. */
function show(digest: Digest, question: OpenedCache): never {
  const { config, lifecycle, isJson } = question;
  const { pieces: all, denied } = listed(question);
  const warnings = lifecycle.warnings.all;
  const pieces = all.filter(({ kind, bundle }) => kind === "evidence" && bundle?.digest === digest);
  const now = Date.now();
  const evidence = pieces.flatMap((piece) =>
    (piece.bundle?.evidence.signatures ?? []).map((signature) => {
      const { identity, record, signer } = signature;
      const sources = { identity: identity.url, ...(record && { record: record.url }) };
      return { ...described(piece, config, now), signer, sources, ...proof(attempt({ digest }, signature)) };
    }),
  );
  const text = evidence.map(({ signer, at = "-", fresh, file, sources, ...proven }) =>
    [
      `${signer}: fetched at ${at}, ${stateOf(fresh === true)}`,
      `  ${"code" in proven ? `${proven.code}: ${proven.detail}` : `repository "${proven.repository}", rev ${proven.rev}, key ${proven.key}, PDS ${proven.pds}`}`,
      ...Object.entries(sources).map(([part, url]) => `  ${part} from ${url}`),
      `  ${file}`,
    ]
      .map(detailLine)
      .join(""),
  );
  const readable = denied > 0 ? " that could be read" : "";
  const nothing = detailLine(`nothing is cached for ${digest} in ${config.cacheDir}${readable}`);
  const found = evidence.length > 0 && warnings.length === 0;
  const shown = folded(text.join("") || nothing, screenOf(lifecycle.environment));
  return lifecycle.print(isJson ? jsonText({ digest, evidence, warnings }) : shown, found ? 0 : 1);
}

function proof(proven: Attempt) {
  if ("finding" in proven) return { code: proven.finding.code, detail: proven.finding.detail };
  const { rev, key, pds, claim } = proven.facts;
  return { rev, key, pds, repository: claim.repository, mediaType: claim.mediaType };
}

async function clear(about: Digest | Did | undefined, { config, lifecycle, key, isJson }: OpenedCache): Promise<never> {
  const { cacheDir } = config;
  const removed = await lifecycle.deadline.track(cacheDir, async () => {
    if (about === undefined) return clearCache(cacheDir, Date.now(), key, lifecycle.warnings.warn);
    return new EvidenceCache(cacheDir, PROGRAM, key, lifecycle.warnings.warn).clear(about, Date.now());
  });
  const warnings = lifecycle.warnings.all;
  const what = about === undefined ? "" : ` for ${about}`;
  const said = detailLine(
    removed === 0 ? `nothing is cached${what} in ${cacheDir}` : `removed ${amount(removed, "file")}${what}`,
  );
  return lifecycle.print(
    isJson ? jsonText({ cacheDir, removed, warnings }) : said,
    removed > 0 && warnings.length === 0 ? 0 : 1,
  );
}
