import { claimedHandle, type Handle, normaliseHandle } from "../../../core/atproto/handle.ts";
import { readIdentity } from "../../../core/atproto/identity.ts";
import { type Did, isDid } from "../../../core/atproto/syntax.ts";
import { parseDuration } from "../../../core/encoding/duration.ts";
import type { OwnerAnswer } from "../../../core/evidence/evidence.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { rollback } from "../../../core/verify/signer-history.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { type CollectContext, Missing } from "../../../verifier/collect/context.ts";
import { fetchIdentity } from "../../../verifier/collect/fetch-identity.ts";
import { signersContext } from "../../../verifier/service/network.ts";
import type { ProcessEdge } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { readCommandLine, readOutput } from "../terminal/command-line.ts";
import {
  type HandleFound,
  type IdentityFound,
  identityJson,
  identityText,
  wrongWith,
} from "../terminal/identity-report.ts";

const OPTIONS = { config: "value", output: "value", "min-key-age": "value" } as const;
/** The recovery window of did:plc: how long a key that was put in place by theft can be undone. */
const RECOMMENDED_KEY_AGE = "72h";

/** `atcr-verify identity DID-or-HANDLE`: who this is now and has been, and how that is known. */
export async function identityCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const form = readOutput(args);
  const { values, operands } = readCommandLine(args, OPTIONS);
  const asked = readOperand(operands);
  const minKeyAge = values.get("min-key-age") ?? RECOMMENDED_KEY_AGE;
  const youngest = parseDuration(minKeyAge);
  if (youngest === undefined) {
    reject("input.malformed", `--min-key-age is "${minKeyAge}", expected a duration such as 72h or 3d`);
  }

  const config = loadConfig(values.get("config"));
  edge.setDeadline(config.deadline);
  const found = await find(asked, signersContext(config, process.env, sessionOf(edge)));
  const shown = { ...found, minKeyAge, youngest };
  edge.print(form === "json" ? identityJson(shown) : identityText(shown), wrongWith(shown) === undefined ? 0 : 1);
}

function readOperand(operands: readonly string[]): Did | Handle {
  const [text = ""] = operands;
  if (operands.length !== 1) {
    reject("input.malformed", `found ${operands.length} identities, expected one DID or handle`);
  }
  if (isDid(text)) return text;
  const expected = "a DID such as did:web:example.com or a handle such as alice.example.com";
  return normaliseHandle(text) ?? reject("input.malformed", `found "${text}", expected ${expected}`);
}

async function find(
  asked: Did | Handle,
  context: CollectContext,
): Promise<Omit<IdentityFound, "minKeyAge" | "youngest">> {
  const owner = isDid(asked) ? undefined : await answered(ownerOf(asked, context));
  const did = isDid(asked) ? asked : owner?.did;
  if (did === undefined) {
    return reject(
      "image.owner_mismatch",
      `the handle ${asked} leads to nobody: neither DNS nor ${owner?.source} names a DID`,
    );
  }

  const memory = await context.recall(did);
  const { fetched } = await answered(fetchIdentity(did, context, memory));
  const proof = readIdentity(did, fetched.bytes);
  const operations = proof.history?.map(({ cid }) => cid);
  const rolledBack = rollback({ signer: did, revs: [], ...(operations && { operations }) }, memory);
  const handle = owner ?? (proof.current instanceof Rejection ? undefined : await handleOf(proof.current, context));
  return {
    asked,
    fetched,
    proof,
    memory,
    now: context.now(),
    ...(rolledBack && { rolledBack }),
    ...(handle && { handle }),
  };
}

/** Where the handle that an identity claims leads; that it leads nowhere is shown, and no failure. */
async function handleOf(
  { handles }: { readonly handles: readonly string[] },
  context: CollectContext,
): Promise<HandleFound | undefined> {
  const handle = claimedHandle(handles);
  if (handle === undefined) return undefined;
  try {
    return await ownerOf(handle, context);
  } catch (error) {
    if (error instanceof Missing) return { handle, missing: `${error.code}: ${error.message}` };
    throw error;
  }
}

async function ownerOf(handle: Handle, context: CollectContext): Promise<OwnerAnswer> {
  const { fetchOwner } = await import("../../../verifier/collect/resolve-handle.ts");
  return fetchOwner(handle, context);
}

/** What could not be had is the answer here. */
async function answered<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof Missing) reject(error.code, error.message, error);
    throw error;
  }
}
