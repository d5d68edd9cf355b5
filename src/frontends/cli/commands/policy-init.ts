import { isatty } from "node:tty";
import { type Handle, normaliseHandle } from "../../../core/atproto/handle.ts";
import { A_DID, type Did, isDid } from "../../../core/atproto/syntax.ts";
import type { Config } from "../../../core/config/config.ts";
import { readPolicy } from "../../../core/policy/parse-policy.ts";
import { parseScope } from "../../../core/policy/scope.ts";
import { type FirstSigner, firstPolicy } from "../../../core/policy-tools/first-policy.ts";
import { lintPolicy } from "../../../core/policy-tools/lint.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { hasCode } from "../../../io/fs/error-code.ts";
import { writeNewFile } from "../../../io/fs/write-new-file.ts";
import { Deadline } from "../../../io/process/deadline.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { lookUpIdentity } from "../../../verifier/service/look-up-identity.ts";
import { signersContext } from "../../../verifier/service/network.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { wrongWith } from "../terminal/identity-report.ts";
import { type Questions, questionsAtTerminal } from "../terminal/questions.ts";

type Options = LineOf<"policy init">["options"];

const STDIN = 0;
const MODE = 0o644;
/** Milliseconds for a person's answers; a pipeline does not wait for them. */
const PATIENCE = 3_600_000;
/** How the comments name a policy that is printed. */
const UNNAMED = "trust-policy.yaml";

/** `atcr-verify policy init`: a first policy, which refuses nothing, from options or from answers. */
export async function policyInit({ options }: LineOf<"policy init">, lifecycle: ProcessLifecycle): Promise<never> {
  const config = loadConfig(lifecycle.environment, options.config);
  const isAsking = options.signer.length === 0;
  if (isAsking && !isatty(STDIN)) {
    reject("input.malformed", "found no --signer; write: atcr-verify policy init --signer HANDLE-or-DID --scope SCOPE");
  }
  lifecycle.answerInterrupts();
  lifecycle.setDeadline(isAsking ? PATIENCE : config.deadline);
  const lookUp = (text: string) => firstSigner(text, config, lifecycle);
  const { signers, scopes, out } = isAsking ? await answers(options, lookUp) : await given(options, lookUp);

  const text = firstPolicy(signers, scopes, out ?? UNNAMED);
  check(text, config);
  if (out === undefined) return lifecycle.print(text);
  write(out, text, options.force);
  return lifecycle.print(`${out} was written; it says what to do next. Check it: atcr-verify policy check ${out}\n`);
}

interface Wanted {
  readonly signers: readonly FirstSigner[];
  readonly scopes: readonly string[];
  readonly out: string | undefined;
}

type LookUp = (text: string) => Promise<FirstSigner>;

async function given({ signer, scope, out }: Options, lookUp: LookUp): Promise<Wanted> {
  for (const one of scope) checkScope(one);
  const found: FirstSigner[] = [];
  for (const text of signer) add(await lookUp(text), found);
  return { signers: found, scopes: scope, out };
}

/** Asks for what is missing; a wrong answer is asked for again. */
async function answers({ scope, out }: Options, lookUp: LookUp): Promise<Wanted> {
  const questions = questionsAtTerminal();
  try {
    const signers: FirstSigner[] = [];
    for (;;) {
      const text = await questions.ask(
        signers.length === 0
          ? "Who signs your images? A handle such as alice.example.com, or a DID:"
          : "Who else? (Enter: nobody)",
      );
      if (text === "" && signers.length > 0) break;
      const found = await orAgain(() => lookUp(text), questions);
      if (found === undefined) continue;
      questions.tell(`  ${found.did}${found.handle === undefined ? "" : ` is ${found.handle}`}`);
      add(found, signers);
    }
    const scopes = [...scope];
    while (scopes.length === 0) {
      const text = await questions.ask("For which images? A scope such as atcr.io/alice.example.com/** (Enter: all)");
      if (text === "") break;
      await orAgain(async () => scopes.push(checkScope(text)), questions);
    }
    const to = out ?? (await questions.ask("Write it to which file? (Enter: print it)"));
    return { signers, scopes, out: to === "" ? undefined : to };
  } finally {
    questions.close();
  }
}

/** @returns undefined for a wrong answer, after saying what is wrong with it */
async function orAgain<T>(read: () => Promise<T>, { tell }: Questions): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    tell(`  ${error.message}`);
    return undefined;
  }
}

function add(one: FirstSigner, to: FirstSigner[]): void {
  if (!to.some(({ did }) => did === one.did)) to.push(one);
}

/** A DID is taken as it is; a handle must name a DID that claims it. */
async function firstSigner(text: string, config: Config, lifecycle: ProcessLifecycle): Promise<FirstSigner> {
  const asked = readSigner(text);
  if (isDid(asked)) return { did: asked };
  const session = { ...sessionOf(lifecycle), deadline: new Deadline(performance.now() + config.deadline) };
  const found = await lookUpIdentity(asked, signersContext(config, lifecycle.environment, session));
  const wrong = wrongWith(found);
  if (wrong !== undefined) reject(wrong.code, wrong.detail);
  return { did: found.proof.did, handle: asked };
}

function readSigner(text: string): Did | Handle {
  if (isDid(text)) return text;
  const expected = text.startsWith("did:") ? A_DID : "a handle such as alice.example.com, or a DID";
  return normaliseHandle(text) ?? reject("input.malformed", `found the signer "${text}", expected ${expected}`);
}

function checkScope(text: string): string {
  const parsed = parseScope(text);
  return "expected" in parsed
    ? reject("input.malformed", `found the scope "${text}", expected ${parsed.expected}`)
    : text;
}

/** What was written must be what `policy check --strict --offline` finds nothing in. */
function check(text: string, { atcrHosts }: Config): void {
  const [finding] = lintPolicy({ ...readPolicy(text, UNNAMED), atcrHosts, now: Date.now() }, undefined);
  if (finding !== undefined) reject("input.malformed", `${finding.message}; ${finding.advice}`);
}

function write(path: string, text: string, mayReplace: boolean): void {
  try {
    writeNewFile(path, text, MODE, mayReplace);
  } catch (error) {
    if (hasCode(error, "EEXIST"))
      reject("input.malformed", `${path} exists, and is not overwritten; name another file, or add --force`);
    reject("input.malformed", `${path} cannot be written: ${(error as Error).message}`, error);
  }
}
