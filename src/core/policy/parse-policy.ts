import type { Did } from "../atproto/syntax.ts";
import { type FoundMistakes, Mistakes } from "../encoding/mistakes.ts";
import type { YamlPath } from "../encoding/yaml.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { Place } from "../rejection.ts";
import { type PolicyLine, policyHash, type TrustPolicy } from "./policy.ts";
import {
  type At,
  lineOf,
  openPolicy,
  openPolicyInSpite,
  type PolicyFile,
  type PolicyText,
  placeOf,
  policyLine,
} from "./policy-file.ts";
import { readRules } from "./rules.ts";
import { Signers } from "./signers.ts";

/** A policy, and the locations of its parts. */
export interface LocatedPolicy {
  readonly policy: TrustPolicy;
  readonly places: PolicyPlaces;
  /** All revoked DIDs, even those that no rule trusts. */
  readonly revoked: readonly Did[];
}

/**
 * Locations in a policy's files. `inside` is a path below that: `["require", "minSignatures"]`. If that is not in the
 * file, the nearest location is returned.
 */
export interface PolicyPlaces {
  /** Undefined where there is no rule of that name. */
  readonly ofRule: (name: string, inside?: YamlPath) => Place | undefined;
  /** Where the DID is first named, except under revokedDIDs; undefined where it is not. */
  readonly ofSigner: (did: Did, inside?: YamlPath) => Place | undefined;
  /** Where the DID is revoked first; undefined where it is not. */
  readonly ofRevocation: (did: Did) => Place | undefined;
  /** Undefined where no file has a default. */
  readonly ofDefault: () => Place | undefined;
}

/** Like {@link readPolicy}, without locations. */
export function parsePolicy(text: string, fileName: string, fragments: readonly PolicyText[] = []): TrustPolicy {
  return readPolicy(text, fileName, fragments).policy;
}

/**
 * Reads a trust policy strictly (spec 2.4): everything unknown, ambiguous or without effect is an error, since every
 * mistake in this file concerns who is trusted. The result does not depend on the time.
 *
 * @param text the file's content
 * @param fileName for messages, which read `FILE:LINE:COLUMN: KEY.PATH: found X, expected Y; what to do`
 * @param fragments the files of policy.d, in their order
 * @throws Rejection policy.invalid
 */
export function readPolicy(text: string, fileName: string, fragments: readonly PolicyText[] = []): LocatedPolicy {
  return readFiles(openPolicy([{ name: fileName, text }, ...fragments]), [{ name: fileName, text }, ...fragments]);
}

/**
 * Finds all mistakes in the files of a policy, at most MAX_MISTAKES of them, for the command that reports them.
 *
 * @returns none exactly where {@link readPolicy} throws nothing
 */
export function mistakesIn(texts: readonly [PolicyText, ...PolicyText[]]): FoundMistakes {
  const mistakes = new Mistakes();
  mistakes.attempt(undefined, () => void readFiles(openPolicyInSpite(texts, mistakes), texts));
  return mistakes.found(texts.map(({ name }) => name));
}

function readFiles(files: readonly [PolicyFile, ...PolicyFile[]], texts: readonly PolicyText[]): LocatedPolicy {
  const signers = new Signers(files);
  const digests = readDigests(files);
  const { rules, places, lines } = readRules(files, signers);
  const everyone = signers.everyone();
  const { fallback, fallbackPlace, at: defaultAt } = readDefault(files);
  const sources = texts.map(({ name }, i) => ({ name, ruleLines: lines[i] ?? [] }));
  return {
    policy: {
      hash: policyHash(texts),
      files: sources,
      ...digests,
      rules,
      fallback,
      fallbackPlace,
      everyone,
    },
    revoked: [...signers.revoked.keys()],
    places: {
      ofRule: (name, inside) => place(places.get(name), inside),
      ofSigner: (did, inside) => place(signers.at(did), inside),
      ofRevocation: (did) => place(signers.revoked.get(did)),
      ofDefault: () => place(defaultAt),
    },
  };
}

function place(at: At | undefined, inside?: YamlPath): Place | undefined {
  return at === undefined ? undefined : placeOf(at, inside);
}

function readDigests(files: readonly PolicyFile[]): Pick<TrustPolicy, "deniedDigests" | "allowedDigests"> {
  const listed = { deny: new Map<Digest, Listed>(), allow: new Map<Digest, Listed>() };
  const lists = [
    { list: "deny", other: "allow" },
    { list: "allow", other: "deny" },
  ] as const;
  for (const from of files) {
    const { file, shape } = from;
    for (const { list, other } of lists) {
      for (const [i, text] of (shape.digests?.[list] ?? []).entries()) {
        const at = { file, path: ["digests", list, i] };
        file.attempt(undefined, () => {
          const digest = isDigest(text) ? text : file.fail({ ...at, expected: "sha256: and 64 lower-case hex digits" });
          const opposite = listed[other].get(digest);
          if (opposite !== undefined) {
            const expected = `a digest that is not under digests.${other} as well`;
            file.fail({ ...at, expected, advice: `it is listed there in ${lineOf(opposite.at)}` });
          }
          if (!listed[list].has(digest)) listed[list].set(digest, { at, place: policyLine(from, at.path) });
        });
      }
    }
  }
  return { deniedDigests: placesOf(listed.deny), allowedDigests: placesOf(listed.allow) };
}

/** Where a digest is listed first. */
interface Listed {
  readonly at: At;
  readonly place: PolicyLine;
}

function placesOf(listed: ReadonlyMap<Digest, Listed>): ReadonlyMap<Digest, PolicyLine> {
  return new Map(Array.from(listed, ([digest, { place: where }]) => [digest, where]));
}

interface Default extends Pick<TrustPolicy, "fallback" | "fallbackPlace"> {
  readonly at: At | undefined;
}

function readDefault(files: readonly [PolicyFile, ...PolicyFile[]]): Default {
  const path = ["default"];
  const [first, second] = files.filter(({ shape }) => shape.default !== undefined);
  if (first === undefined) return { fallback: "deny", fallbackPlace: policyLine(files[0], path), at: undefined };
  const { file, shape } = first;
  if (second !== undefined) {
    const found = `a second default, in addition to ${lineOf({ file, path })}`;
    const advice = "remove one of the two";
    second.file.attempt(undefined, () =>
      second.file.fail({ path, isKey: true, found, expected: "one for the whole policy", advice }),
    );
  }
  return { fallback: shape.default ?? "deny", fallbackPlace: policyLine(first, path), at: { file, path } };
}
