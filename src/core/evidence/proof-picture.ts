import { formatDateTime } from "../encoding/time.ts";
import type { ShownNode, ShownRecord } from "./shown-record.ts";

/** Nodes drawn; a signer can build a deeper tree than any honest one has, which is some ten nodes deep. */
const MAX_DRAWN = 24;
const HEADING = 8;

/**
 * The path of a proof from the signed commit down to the record, as lines of ASCII. Each block contains the hash of the
 * one below it, so the signature of the commit covers the record.
 *
 *     commit  bafyrei...
 *       |     rev 3l... (2026-01-31T12:00:00Z), key
 *       |     did:key:z...
 *     root    bafyrei...
 *       |     height 2, 3 keys
 *     record  bafyrei...
 */
export function proofPicture(record: ShownRecord): readonly string[] {
  const { commit, rev, revTime, key, nodes, cid } = record;
  const drawn = nodes.length > MAX_DRAWN ? nodes.slice(0, MAX_DRAWN - 1) : nodes;
  const skipped = nodes.length - drawn.length;
  return [
    block("commit", commit),
    below(`rev ${rev} (${formatDateTime(revTime)}), key`),
    below(key),
    ...drawn.flatMap((node, i) => [block(i === 0 ? "root" : "node", node.cid), below(describe(node))]),
    ...(skipped === 0 ? [] : [below(`(${skipped} more nodes)`)]),
    cid === undefined ? block("(none)", "there is no such record") : block("record", cid),
  ];
}

function block(what: string, text: string): string {
  return `${what.padEnd(HEADING)}${text}`;
}

function below(text: string): string {
  return `  |     ${text}`;
}

function describe({ height, entries }: ShownNode): string {
  return `height ${height}, ${entries} key${entries === 1 ? "" : "s"}`;
}
