import { fromUtf8 } from "../../../core/encoding/bytes.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import type { Answer } from "../../../core/verify/answer.ts";
import type { Pushed, Vouch } from "../../../verifier/vouch/vouch.ts";
import { jsonText } from "../../process/report.ts";
import type { JudgedImage } from "./vouch-images.ts";

/** An image of the command, and how far it came. */
export interface VouchRow {
  readonly image: JudgedImage;
  vouch?: Vouch;
  /** Set from when its push begins: until there is an answer, whether the registry has it is not known. */
  isPushing?: true;
  pushed?: Pushed;
  /** Why its signature was not made or not pushed. */
  failed?: { readonly code: string; readonly detail: string };
}

/** What is printed of a whole command. */
export interface VouchReport {
  readonly format: "cosign" | "notation";
  readonly isDryRun: boolean;
  readonly rows: readonly VouchRow[];
}

type State = "pushed" | "pushing" | "failed" | "refused" | "inconclusive" | "signed" | "verified";
/** Exit statuses of images that could not be verified. */
const UNVERIFIED: ReadonlySet<number> = new Set([2, 4]);

const WORDS = { refused: "refused", inconclusive: "not verified" } as const;

/** A line for each image, and a last one that says what was pushed. */
export function vouchLines({ format, isDryRun, rows }: VouchReport): readonly string[] {
  const pushed = rows.filter((row) => row.pushed !== undefined).length;
  const end =
    pushed > 0
      ? `pushed ${pushed} of ${rows.length} signatures for ${format}`
      : rows.some((row) => stateOf(row) === "pushing")
        ? "see above for what is pushed"
        : isDryRun && rows.every((row) => stateOf(row) === "signed")
          ? "--dry-run: nothing is pushed"
          : "nothing is pushed";
  return [...rows.flatMap((row) => linesOf(row, isDryRun)), end];
}

function linesOf(row: VouchRow, isDryRun: boolean): readonly string[] {
  const { image, vouch, pushed, failed } = row;
  const about = `${image.name}${image.platform === undefined ? "" : ` (${image.platform})`}`;
  const claims = vouch === undefined ? "" : `, signed by ${vouch.claims["atcr-verify.did"]}`;
  const until = vouch?.made.format === "notation" ? `, until ${formatDateTime(vouch.made.expiresAt)}` : "";
  const state = stateOf(row);
  switch (state) {
    case "pushed":
      return [
        `pushed ${about}${claims}${until}: ${pushed?.manifest}${pushed?.tag === undefined ? "" : ` at the tag ${pushed.tag}`}`,
      ];
    case "pushing":
      return [`perhaps pushed ${about}${claims}${until}: this ended before the registry answered`];
    case "failed":
      return [`not pushed ${about} ${failed?.code}: ${failed?.detail}`];
    case "refused":
    case "inconclusive":
      return "signed" in image ? [] : [`${WORDS[state]} ${about} ${image.code}: ${image.detail}`];
    case "signed":
      return isDryRun
        ? [`would push ${about}${claims}${until}: ${wouldPush(vouch)}`, `  ${payloadText(vouch)}`]
        : [`not pushed ${about}`];
    case "verified":
      return [`not pushed ${about}`];
  }
}

function stateOf({ image, vouch, isPushing, pushed, failed }: VouchRow): State {
  if (pushed !== undefined) return "pushed";
  if (failed !== undefined) return "failed";
  if (isPushing === true) return "pushing";
  if (!("signed" in image)) return UNVERIFIED.has(image.status) ? "inconclusive" : "refused";
  return vouch === undefined ? "verified" : "signed";
}

function wouldPush(vouch: Vouch | undefined): string {
  if (vouch === undefined) return "";
  const { made } = vouch;
  return made.format === "cosign"
    ? `the layer ${made.layer.descriptor.digest} at the tag ${made.tag}`
    : `the referrer ${made.manifest.descriptor.digest}`;
}

function payloadText(vouch: Vouch | undefined): string {
  return fromUtf8(vouch?.payload ?? new Uint8Array()) ?? "";
}

/**
 * The same as JSON.
 *
 * @param ended why the command ended early
 */
export function vouchJson({ format, isDryRun, rows }: VouchReport, ended?: Answer): string {
  const images = rows.map((row) => {
    const { image, vouch, pushed, failed } = row;
    const why = failed ?? ("signed" in image ? undefined : { code: image.code, detail: image.detail });
    return {
      image: image.name,
      ...(image.platform !== undefined && { platform: image.platform }),
      state: stateOf(row),
      ...(why && { code: why.code, detail: printable(why.detail) }),
      ...(vouch && { claims: vouch.claims, payload: payloadText(vouch) }),
      ...(vouch?.made.format === "notation" && { expires: formatDateTime(vouch.made.expiresAt) }),
      ...(pushed && { manifest: pushed.manifest, ...(pushed.tag !== undefined && { tag: pushed.tag }) }),
    };
  });
  const why = ended === undefined || ended.outcome === "allow" ? undefined : ended;
  return jsonText({
    format,
    dryRun: isDryRun,
    ...(why && { code: why.code, reason: printable(why.detail) }),
    images,
  });
}
