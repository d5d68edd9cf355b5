import { type Handle, normaliseHandle } from "../../../core/atproto/handle.ts";
import { A_DID, type Did, isDid } from "../../../core/atproto/syntax.ts";
import { parseDuration } from "../../../core/encoding/duration.ts";
import { reject } from "../../../core/rejection.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { lookUpIdentity } from "../../../verifier/service/look-up-identity.ts";
import { signersContext } from "../../../verifier/service/network.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { identityJson, identityText, policySnippet, wrongWith } from "../terminal/identity-report.ts";
import { folded, screenOf } from "../terminal/screen.ts";

/** `atcr-verify identity DID-or-HANDLE`: who this is now and has been, and how that is known. */
export async function identityCommand(
  { operands, options }: LineOf<"identity">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [text] = operands;
  const asked = readOperand(text);
  const { "min-key-age": minKeyAge, output } = options;
  const youngest = parseDuration(minKeyAge);
  if (youngest === undefined) {
    reject("input.malformed", `--min-key-age is "${minKeyAge}", expected a duration such as 72h or 3d`);
  }

  const config = loadConfig(lifecycle.environment, options.config);
  lifecycle.setDeadline(config.deadline);
  const found = await lookUpIdentity(asked, signersContext(config, lifecycle.environment, sessionOf(lifecycle)));
  const shown = { ...found, minKeyAge, youngest };
  const report =
    output === "json"
      ? identityJson(shown)
      : folded(identityText(shown), screenOf(lifecycle.environment)) + policySnippet(shown);
  lifecycle.print(report, wrongWith(shown) === undefined ? 0 : 1);
}

function readOperand(text: string): Did | Handle {
  if (isDid(text)) return text;
  const expected = text.startsWith("did:")
    ? A_DID
    : "a DID such as did:web:example.com or a handle such as alice.example.com";
  return normaliseHandle(text) ?? reject("input.malformed", `found "${text}", expected ${expected}`);
}
