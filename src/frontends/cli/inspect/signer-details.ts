import { formatDateTime } from "../../../core/encoding/time.ts";
import { proofPicture } from "../../../core/evidence/proof-picture.ts";
import type { ShownRecord, ShownTag } from "../../../core/evidence/shown-record.ts";
import { Rejection } from "../../../core/rejection.ts";
import type { InspectedSigner } from "../../../verifier/inspect/inspect-image.ts";
import { describeHandle, describeKeys, howVerified } from "../terminal/identity-lines.ts";
import type { LabelledRows } from "./labelled-rows.ts";
import { isProven, reasonsOf, sourceText, titleOf } from "./signer-state.ts";

/** Keys of one signer that are shown; a log may name 200. */
const MAX_KEYS = 12;
const NOTHING: readonly string[] = [];

/** Everything about one signer: what is proven, and what is only claimed. */
export function signerDetails(signer: InspectedSigner, rows: LabelledRows): readonly string[] {
  const reasons = reasonsOf(signer);
  return [
    ...rows.heading(`signer ${titleOf(signer)}`),
    "  proven, by hashes and signatures alone:",
    ...proven(signer, rows),
    "  only claimed, by:",
    ...claimed(signer, rows),
    ...(reasons.length === 0 ? NOTHING : ["  missing or wrong:"]),
    ...reasons.flatMap((reason) => rows.of("", [reason], 4)),
  ];
}

function proven({ found }: InspectedSigner, rows: LabelledRows): readonly string[] {
  const { identity, record, tag } = found ?? {};
  const proof = identity?.proof;
  // A did:web has no log: all that is known of it is its host's word.
  const current = proof?.history === undefined || proof.current instanceof Rejection ? undefined : proof.current;
  return [
    ...(proof?.history === undefined ? NOTHING : rows.of("identity", howVerified(proof).slice(0, 1), 4)),
    ...(current === undefined
      ? NOTHING
      : [...rows.of("key", [current.key.didKey], 4), ...rows.of("PDS", [current.pds], 4)]),
    ...(record !== undefined && isProven(record)
      ? [...rows.of("record", [record.path], 4), ...rows.asIs(proofPicture(record), 6)]
      : NOTHING),
    ...(tag !== undefined && isProven(tag) ? rows.of("tag record", tagLines(tag), 4) : NOTHING),
  ];
}

function tagLines({ path, cid, names, rev, commit }: ShownTag): readonly string[] {
  const where = [`rev ${rev}, commit`, commit];
  return cid === undefined ? [`there is no ${path}`, ...where] : [path, "names", names ?? "no digest", ...where];
}

function claimed({ sources, found }: InspectedSigner, rows: LabelledRows): readonly string[] {
  const { identity, handle, record, tag } = found ?? {};
  const proof = identity?.proof;
  const others = proof === undefined || proof.current instanceof Rejection ? [] : proof.current.handles;
  return [
    ...rows.of("others", sources.map(sourceText), 4),
    ...rows.of(proof?.history === undefined ? "host" : "directory", claimedOfIdentity(found), 4),
    ...(handle === undefined || proof === undefined ? NOTHING : rows.of("handle", [describeHandle(handle, proof)], 4)),
    ...rows.of(
      "identity",
      others.filter((other) => other !== handle?.handle).map((other) => `handle ${other}`),
      4,
    ),
    ...(record !== undefined && isProven(record) ? rows.of("record", fieldLines(record), 4) : NOTHING),
    ...(tag !== undefined && isProven(tag) ? rows.of("tag record", fieldLines(tag), 4) : NOTHING),
  ];
}

function claimedOfIdentity(found: InspectedSigner["found"]): readonly string[] {
  if (found?.identity === undefined) return NOTHING;
  const { fetched, proof } = found.identity;
  const { current, history } = proof;
  const from = `${fetched.url}, ${formatDateTime(fetched.fetchedAt)}`;
  if (history === undefined) {
    const document = current instanceof Rejection ? [] : [`key ${current.key.didKey}`, `PDS ${current.pds}`];
    return [from, ...howVerified(proof), ...document];
  }
  const keys = describeKeys(proof);
  const more = keys.length - MAX_KEYS;
  return [
    from,
    ...howVerified(proof).slice(1),
    ...keys.slice(0, MAX_KEYS).map((key) => `key ${key}`),
    ...(more > 0 ? [`and ${more} more keys`] : []),
  ];
}

function fieldLines({ fields, more }: ShownRecord): readonly string[] {
  const shown = fields.map(({ name, value }) => `${name}: ${value}`);
  return more === 0 ? shown : [...shown, `and ${more} more fields`];
}
