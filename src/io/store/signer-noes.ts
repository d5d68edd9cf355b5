import { isTid, type Tid, tidAt } from "../../core/atproto/syntax.ts";
import { type Digest, digestHex } from "../../core/oci/digest.ts";
import {
  type ProvenNo,
  type RememberedNo,
  type RememberedNoes,
  supersedes,
} from "../../core/verify/remembered-noes.ts";

/**
 * Noes remembered of a signer. Each pull of an image that is not signed leaves one: stops somebody who can choose images
 * from filling the disk. Beyond it the oldest make room, and a floor says up to which revision.
 */
const MAX_NOES = 1000;
/** How many remain then, so that not each further one raises the floor. */
const REMAINING_NOES = 750;
/** Files of noes of a signer, superseded ones included, which stay for a while: stops a burst from making the folder unreadable. */
const MAX_NO_FILES = 2000;

/** A file that says a no, or the floor below which noes were dropped. */
export interface NoEntry extends RememberedNo {
  readonly name: string;
  /** SHA-256 of the path; absent: a floor. */
  readonly address?: string;
}

/** The forms of their names (signer-entries.ts). */
export const NO_NAMES = [
  "no-(?<address>[0-9a-f]{64})-(?<shown>[2-7a-z]{13})(?:-except-(?<except>[0-9a-f]{64}))?",
  "floor-(?<floor>[2-7a-z]{13})",
];

/** @param groups of a name that one of {@link NO_NAMES} matches */
export function readNo(name: string, groups: { readonly [group: string]: string | undefined }): NoEntry | undefined {
  const { address, shown, except, floor } = groups;
  const rev = shown ?? floor ?? "";
  if (!isTid(rev)) return undefined;
  return {
    name,
    rev,
    ...(address !== undefined && { address }),
    ...(except !== undefined && { except: `sha256:${except}` as Digest }),
  };
}

/** What counts of them: the newest no of each path, and the highest floor. */
export function newestNoes(entries: readonly NoEntry[]): RememberedNoes {
  const noes = new Map<string, RememberedNo>();
  let floor: Tid | undefined;
  for (const { address, name: _, ...no } of entries) {
    if (address === undefined) floor = floor === undefined || no.rev > floor ? no.rev : floor;
    else if (supersedes(no, noes.get(address))) noes.set(address, no);
  }
  return { noes, ...(floor !== undefined && { floor }) };
}

/** A no of an observation, as it is remembered. */
export interface NewNo extends Omit<ProvenNo, "path"> {
  readonly address: string;
}

/** Those that are not known yet; none that the floor covers. */
export function newNoes(shown: readonly NewNo[], { noes, floor = "" as Tid }: RememberedNoes): readonly NewNo[] {
  return shown.filter((no) => no.rev > floor && supersedes(no, noes.get(no.address)));
}

/**
 * The names to add for them.
 *
 * @param entries those that are there
 */
export function namesOfNoes(added: readonly NewNo[], entries: readonly NoEntry[]): readonly string[] {
  const { noes, floor = "" } = newestNoes(entries);
  const known = [...noes].filter(([, { rev }]) => rev > floor);
  const kept = known.filter(([address]) => !added.some((no) => no.address === address));
  const count = kept.length + added.length;
  if (count <= MAX_NOES && entries.length < MAX_NO_FILES) return added.map(nameOf);
  const revs = [...known.map(([, { rev }]) => rev), ...added.map(({ rev }) => rev)].toSorted();
  const dropped = entries.length < MAX_NO_FILES ? count - REMAINING_NOES : count;
  const raised = revs[Math.min(dropped, revs.length) - 1];
  if (raised === undefined) return added.map(nameOf);
  return [`floor-${raised}`, ...added.filter(({ rev }) => rev > raised).map(nameOf)];
}

/** The name that stands for noes which may have been lost: whatever is not newer than now is refused. */
export function lostNoes(now: number): string {
  return `floor-${tidAt(now)}`;
}

function nameOf({ address, rev, except }: NewNo): string {
  return `no-${address}-${rev}${except === undefined ? "" : `-except-${digestHex(except)}`}`;
}

/** Names that say nothing any more, and the name that says more: while that one is new, a reader may have missed it. */
export function supersededNoes(entries: readonly NoEntry[]): ReadonlyMap<string, string> {
  const { noes, floor } = newestNoes(entries);
  const superseded = new Map<string, string>();
  for (const { address, name, rev } of entries) {
    const newest = address === undefined ? undefined : noes.get(address);
    if (floor !== undefined && rev <= floor && name !== `floor-${floor}`) superseded.set(name, `floor-${floor}`);
    else if (address !== undefined && newest !== undefined) {
      const newer = nameOf({ address, ...newest });
      if (newer !== name) superseded.set(name, newer);
    }
  }
  return superseded;
}
