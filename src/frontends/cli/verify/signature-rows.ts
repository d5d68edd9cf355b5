import { isPlc } from "../../../core/atproto/syntax.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import type { Check, CountedSignature } from "../../../core/verify/verdict.ts";
import { amount } from "../../process/report.ts";

const DAY = 24 * 60 * 60 * 1000;

/** Checks of a rule in words. The signature and the proof of the repository are checked for every image. */
const CHECKED: Readonly<Record<Check, string>> = {
  pins: "pinned keys or PDS",
  key_age: "age of the key",
  media_type: "media type",
  max_age: "age of the record",
  repository: "repository",
  owner: "owner of the handle",
  tag: "tag",
};

/** A fact of the report for people. */
export type Row = readonly [label: string, text: string];

/** @param now milliseconds since 1970, for the age of the key */
export function signatureRows(facts: CountedSignature, now: number): readonly Row[] {
  const { signer, signerName, handles, key, keySince, pds, rev, claim } = facts;
  const names = [
    ...(signerName === undefined ? [] : [`"${signerName}"`]),
    ...handles.map((handle) => `@${handle}`),
    signer,
  ];
  const age =
    keySince === undefined
      ? ""
      : `  since ${formatDateTime(keySince).slice(0, 10)} (${amount(Math.floor((now - keySince) / DAY), "day")})`;
  return [
    ["signer", names.join("  ")],
    ["key", `${key}${age}`],
    [
      "signed",
      `${formatDateTime(claim.createdAt)} (claimed by the signer)  repository "${claim.repository}"  rev ${rev}`,
    ],
    ["PDS", pds],
  ];
}

/** What was checked of an image that is allowed, and what nobody checks here. */
export function checkRows({ signer, checks }: CountedSignature): readonly Row[] {
  const done = [
    "signature",
    "repository proof",
    ...(isPlc(signer) ? ["key history"] : []),
    ...checks.map((check) => CHECKED[check]),
  ];
  const missing = [...(checks.includes("tag") ? [] : ["tag"]), "build provenance", "vulnerabilities"];
  return [
    ["checked", done.join(", ")],
    ["not checked", missing.join(", ")],
  ];
}
