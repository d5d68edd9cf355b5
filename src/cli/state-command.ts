import { type Did, isDid, tidTime } from "../atproto/syntax.ts";
import { formatDateTime } from "../encoding/time.ts";
import { reject } from "../rejection.ts";
import { EvidenceStore } from "../state/evidence-store.ts";
import { type Remembered, SignerStore } from "../state/signer-store.ts";
import { readCommandLine, readOutput } from "./command-line.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { jsonReport, jsonText, printable, textReport } from "./report.ts";
import { loadConfig } from "./settings.ts";

/** What it means, for whoever has just done it. */
const FORGOTTEN = `forgotten, with the evidence that was kept of it.
The next pull takes what the directory and the PDS show for new: that it is older than what was seen
before is not noticed, and every key counts as seen for the first time (minKeyAge).
`;
const OPTIONS = { config: "value", output: "value" } as const;

/** `atcr-verify state show [DID]` and `state forget DID`: what this node remembers of signers. */
export async function stateCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const form = readOutput(args);
  edge.render = form === "json" ? (answer) => jsonReport(answer, undefined) : textReport;
  const { values, operands } = readCommandLine(args, OPTIONS);
  const [action = "", text, ...more] = operands;
  if (more.length > 0) reject("input.malformed", `found ${operands.length - 1} DIDs, expected one`);
  const signer = text === undefined ? undefined : readDid(text);

  const { stateDir, cacheDir, deadline } = loadConfig(values.get("config"));
  edge.setDeadline(deadline);
  const warnings: string[] = [];
  const report = (warning: string) => {
    warnings.push(warning);
    edge.diagnose(printable(warning));
  };
  const signers = new SignerStore(stateDir, { report });
  if (action === "show") {
    const remembered = await edge.deadline.track(stateDir, () => recall(signers, signer));
    const text = remembered.map(describe).join("") || `nothing is remembered in ${printable(stateDir)}\n`;
    const json = { stateDir, signers: remembered.map(toJson), warnings };
    edge.print(form === "json" ? jsonText(json) : text, warnings.length === 0 ? 0 : 1);
  }
  if (action !== "forget" || signer === undefined) {
    reject("input.malformed", `found state ${operands.join(" ")}, expected state show [DID] or state forget DID`);
  }
  const [known] = await edge.deadline.track(stateDir, () => recall(signers, signer));
  const forgotten = await edge.deadline.track(stateDir, () => forget(signers, signer, stateDir));
  await edge.deadline.track(cacheDir, () => new EvidenceStore(cacheDir, { report }).forget(signer));
  const json = { stateDir, signer, forgotten, ...(known !== undefined && { was: toJson(known) }), warnings };
  const said = forgotten
    ? `${known === undefined ? "" : describe(known)}${FORGOTTEN}`
    : `nothing is remembered of ${signer}\n`;
  edge.print(form === "json" ? jsonText(json) : said, forgotten ? 0 : 1);
}

function readDid(text: string): Did {
  return isDid(text) ? text : reject("input.malformed", `found "${text}", expected a DID such as did:web:example.com`);
}

async function recall(signers: SignerStore, signer: Did | undefined): Promise<readonly Remembered[]> {
  if (signer === undefined) return signers.list(Date.now());
  const memory = await signers.recall(signer, Date.now());
  const { rev, operations, keys } = memory;
  return rev === undefined && operations.size === 0 && keys.size === 0 ? [] : [{ signer, memory }];
}

async function forget(signers: SignerStore, signer: Did, stateDir: string): Promise<boolean> {
  try {
    return await signers.forget(signer);
  } catch (error) {
    const { message } = error as Error;
    return reject("config.invalid", `${signer} cannot be forgotten in the stateDir ${stateDir}: ${message}`, error);
  }
}

function describe({ signer, memory: { rev, operations, keys } }: Remembered): string {
  const seen = [...keys].map(([key, at]) => `  key ${key}, seen first ${formatDateTime(at)}\n`);
  const newest = rev === undefined ? "" : `  newest rev ${rev}, of ${formatDateTime(tidTime(rev))}\n`;
  return `${signer}\n${newest}  operations of the log: ${operations.size}\n${seen.join("")}`;
}

function toJson({ signer, memory: { rev, operations, keys } }: Remembered) {
  return {
    signer,
    ...(rev !== undefined && { rev, revTime: formatDateTime(tidTime(rev)) }),
    operations: operations.size,
    keys: [...keys].map(([key, at]) => ({ key, firstSeen: formatDateTime(at) })),
  };
}
