import { type Handle, normaliseHandle } from "../../../core/atproto/handle.ts";
import { type Did, isDid } from "../../../core/atproto/syntax.ts";
import { parseDuration } from "../../../core/encoding/duration.ts";
import { reject } from "../../../core/rejection.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { lookUpIdentity } from "../../../verifier/service/look-up-identity.ts";
import { signersContext } from "../../../verifier/service/network.ts";
import type { ProcessEdge } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { readCommandLine, readOutput } from "../terminal/command-line.ts";
import { identityJson, identityText, wrongWith } from "../terminal/identity-report.ts";

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

  const config = loadConfig(edge.environment, values.get("config"));
  edge.setDeadline(config.deadline);
  const found = await lookUpIdentity(asked, signersContext(config, edge.environment, sessionOf(edge)));
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
