/**
 * How an inspection is shown to people. It must not read like a verdict, and never suggests to trust somebody who is listed:
 * whether a signer is the right one is for the reader to find out elsewhere. What is proven and what is only claimed are in
 * groups of their own.
 */
import { formatDateTime } from "../../../core/encoding/time.ts";
import type { ShownTag } from "../../../core/evidence/shown-record.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import type { InspectedSigner, Inspection } from "../../../verifier/inspect/inspect-image.ts";
import { LabelledRows } from "./labelled-rows.ts";
import { signerDetails } from "./signer-details.ts";
import { isProven, nameOf, reasonsOf, shortSource, stateOf } from "./signer-state.ts";

/** Signers listed that were not asked; a registry may name thousands. */
const MAX_NOT_ASKED = 4;
const NOTHING: readonly string[] = [];

/**
 * What fits on the first screen: the image, who signed it, and what to do next.
 *
 * @param width columns; infinite if the output is not a terminal
 * @returns printable lines, without line breaks
 */
export function inspectionSummary(inspection: Inspection, width: number): readonly string[] {
  return summary(inspection, new LabelledRows(width));
}

/**
 * The summary, then everything about each signer.
 *
 * @param width columns; infinite if the output is not a terminal
 * @returns printable lines, without line breaks
 */
export function inspectionLines(inspection: Inspection, width: number): readonly string[] {
  const rows = new LabelledRows(width);
  const details = inspection.signers.toSorted(signedFirst).flatMap((signer) => ["", ...signerDetails(signer, rows)]);
  return [...summary(inspection, rows), ...details];
}

function summary(inspection: Inspection, rows: LabelledRows): readonly string[] {
  const { name, digest, signers, notAsked, gaps, unknown, owner } = inspection;
  const { digest: _, ...named } = name;
  return [
    ...rows.of("image", [formatReference(named)]),
    ...rows.of("digest", [digest ?? "not known"]),
    ...rows.of("tag", tagLines(inspection)),
    ...rows.of("owner", [...(owner === undefined ? [] : [owner]), ...unknown].flatMap(unresolvedLine)),
    ...signers.toSorted(signedFirst).flatMap((signer) => signerLines(signer, rows)),
    ...(signers.length === 0 ? rows.of("signed by", ["nobody that is known"]) : NOTHING),
    ...rows.of("not asked", notAskedLines(notAsked)),
    ...rows.of("missing", [...new Set(gaps.map(({ code, detail }) => `${code}: ${detail}`))]),
    ...rows.of("next", nextSteps(inspection)),
  ];
}

/** What the tag means: to the registry, or to the signers where the registry did not say. */
function tagLines({ tag, resolved, unresolved, signers }: Inspection): readonly string[] {
  if (tag === undefined) return NOTHING;
  if (resolved !== undefined) return [`:${tag} points here (asked ${resolved.by}, ${formatDateTime(resolved.at)})`];
  if (unresolved === undefined) return [`:${tag} was not resolved: the name has a digest`];
  const meant = signers.flatMap((signer) => {
    const names = ownTag(signer)?.names;
    return names === undefined ? [] : [`:${tag} in the own record of ${nameOf(signer)} (registry not asked):`, names];
  });
  // What was tried besides is in the JSON.
  const [why] = unresolved.message.split("; ");
  return [...meant, `:${tag} was not resolved: ${unresolved.code}: ${why}`];
}

function ownTag({ found }: InspectedSigner): ShownTag | undefined {
  return found?.tag !== undefined && isProven(found.tag) ? found.tag : undefined;
}

/** A handle that resolves to no DID; one that resolves to a DID is shown with that signer. */
function unresolvedLine(handle: NonNullable<Inspection["owner"]>): readonly string[] {
  if ("missing" in handle) return [`${handle.handle} could not be resolved: ${handle.missing}`];
  return handle.did === undefined ? [`${handle.handle} resolves to no DID (${handle.source})`] : NOTHING;
}

function signerLines(signer: InspectedSigner, rows: LabelledRows): readonly string[] {
  const name = nameOf(signer);
  const state = stateOf(signer);
  const who = [
    `${name.startsWith("@") ? name : signer.did} (${shortSource(signer)})`,
    ...(name === signer.did ? [] : [name.startsWith("@") ? signer.did : name]),
  ];
  return rows.of(state === "signed" ? "signed by" : state, [...who, ...whyLines(signer)]);
}

function whyLines(signer: InspectedSigner): readonly string[] {
  const record = signer.found?.record;
  if (record !== undefined && isProven(record) && record.objection === undefined) {
    const { rev, claim } = record;
    if (claim === undefined) return [`proven: no record of this digest at rev ${rev}`];
    return [`proven at rev ${rev}; claimed date ${formatDateTime(claim.createdAt)}`];
  }
  const [why = "no record was asked for, because no digest is known"] = reasonsOf(signer);
  return [why];
}

function notAskedLines(dids: readonly string[]): readonly string[] {
  const more = dids.length - MAX_NOT_ASKED;
  return [...dids.slice(0, MAX_NOT_ASKED), ...(more > 0 ? [`and ${more} more that the registry names`] : [])];
}

function nextSteps({ name, signers, unresolved }: Inspection): readonly string[] {
  // With a digest, a command would not fit in a line.
  const image = name.digest === undefined ? formatReference(name) : "IMAGE";
  if (unresolved?.code === "registry.unauthorized") {
    return ["log in to the registry, as with docker login, and run this again"];
  }
  if (unresolved?.code === "registry.unknown_tag") return ["check the name and the tag, and run this again"];
  const isSigned = signers.some((signer) => stateOf(signer) === "signed");
  return [
    isSigned
      ? "anyone can sign any image: find out from another source who should sign this one"
      : `ask about another signer: atcr-verify inspect ${image} --signer DID`,
    `verify it: atcr-verify ${image} --signer DID-or-HANDLE`,
    "verify all images by a policy: atcr-verify policy init",
  ];
}

/** Signers that the image or the user names, then those who signed. */
function signedFirst(a: InspectedSigner, b: InspectedSigner): number {
  return rank(a) - rank(b);
}

function rank(signer: InspectedSigner): number {
  const isNamed = signer.sources.some(({ kind }) => kind !== "referrer");
  return isNamed ? 0 : stateOf(signer) === "signed" ? 1 : 2;
}
