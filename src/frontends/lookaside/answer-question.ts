import { printable } from "../../core/encoding/printable.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { Subject } from "../../core/evidence/evidence.ts";
import { type LookasideRequest, parseLookasideTarget } from "../../core/oci/lookaside-request.ts";
import { formatReference } from "../../core/oci/reference.ts";
import { isProbePath } from "../../core/oci/reserved-name.ts";
import { lookasideSignature, simpleSigningPayload } from "../../core/oci/simple-signing.ts";
import { hostsOfRules } from "../../core/policy/rule-hosts.ts";
import { select } from "../../core/policy/select.ts";
import { reject } from "../../core/rejection.ts";
import { type Answer, failureOf, type NotEnforced, probeRefusal, refusalOf } from "../../core/verify/answer.ts";
import { refuseUntoldTag } from "../../core/verify/untold-tag.ts";
import type { Allow, Exempt, Signed } from "../../core/verify/verdict.ts";
import { BUILD } from "../../core/version.ts";
import { Warnings } from "../../core/warning.ts";
import type { NodeKey } from "../../io/keys/node-key.ts";
import { Deadline } from "../../io/process/deadline.ts";
import type { Decision } from "../../verifier/service/decision.ts";
import { RequestCounts } from "../../verifier/service/exchanges.ts";
import type { Session } from "../../verifier/service/session.ts";
import { reasonLine } from "../process/report.ts";
import type { Reply } from "./server.ts";
import type { Current, SettingsOnDisk } from "./settings.ts";

/** Bytes of the reason in the status line. */
const MAX_PHRASE = 200;

/** A question that was answered, for the log. */
export interface Answered {
  readonly subject: Subject;
  readonly answer: Answer;
  /** Absent where the verifier was not asked. */
  readonly decision?: Decision;
  readonly policyHash?: string;
  readonly requestCounts: RequestCounts;
  readonly warnings: Warnings;
  /** Milliseconds. */
  readonly total: number;
}

/** What is needed to answer. */
export interface Responder {
  readonly settings: SettingsOnDisk;
  readonly key: NodeKey;
  readonly log: (answered: Answered) => void;
  readonly warn: (text: string) => void;
}

/**
 * Answers one request: a signature of this node where the policy allows the image, else why not. Only what was verified
 * by evidence of now is signed, or what a rule exempts: no break-glass, no audit, nothing stale or imported, as a
 * signature of a node has no end (decision 0064).
 *
 * @param target attacker-controlled
 */
export async function answerTarget(target: string, responder: Responder): Promise<Reply> {
  const request = parseLookasideTarget(target);
  if (typeof request === "string") return { status: 400, phrase: `expected ${request}` };
  // The first and only signature says all.
  if (request.number > 1) return { status: 404, phrase: "Not Found" };
  const began = performance.now();
  const { name, digest } = request;
  const subject: Subject = { name, digest };
  const counts = new RequestCounts();
  const warnings = new Warnings(({ code, message }) => responder.warn(printable(`warning ${code}: ${message}`)));
  const { answer, reply, ...rest } = await decide(request, subject, { responder, counts, warnings });
  const total = performance.now() - began;
  responder.log({ subject, answer, requestCounts: counts, warnings, total, ...rest });
  return reply ?? refused(answer);
}

interface Context {
  readonly responder: Responder;
  readonly counts: RequestCounts;
  readonly warnings: Warnings;
}

type Decided = Pick<Answered, "answer" | "decision" | "policyHash"> & {
  /** Absent for a refusal. */
  readonly reply?: Reply;
};

/** @param isAgain whether the settings changed while it was decided for the first time */
async function decide(
  request: LookasideRequest,
  subject: Subject,
  context: Context,
  isAgain = false,
): Promise<Decided> {
  const { name, digest } = request;
  const { responder } = context;
  let policyHash: string | undefined;
  try {
    if (isProbePath(name)) return { answer: probeRefusal(digest) };
    const current = responder.settings.current();
    policyHash = current.policy.hash;
    refuseUnserved(subject, current);
    const decision = await current.verifier.verify(subject, sessionFor(current, context));
    const { answer } = decision;
    const isOfNow = decision.cache === "none" || decision.cache === "fresh";
    if (answer.outcome !== "allow") return { answer, decision, policyHash };
    const { because } = answer;
    // A signature has no end, so the settings of this moment count, not those of the question.
    if (responder.settings.current() !== current) {
      if (isAgain) reject("policy.invalid", "the policy or the configuration changed twice meanwhile; pull again");
      return await decide(request, subject, context, true);
    }
    if ((because.kind !== "signed" && because.kind !== "exempt") || !isOfNow) {
      return { answer: refusalInPlaceOf(answer), decision, policyHash };
    }
    return { answer, decision, policyHash, reply: signed(subject, because, responder.key) };
  } catch (error) {
    return { answer: failureOf(error), ...(policyHash !== undefined && { policyHash }) };
  }
}

/** An allow that is none here is answered and logged as the refusal that it would be. */
function refusalInPlaceOf({ because }: Allow | NotEnforced): Answer {
  if (!("would" in because)) return refusalOf("internal.error", "old evidence was used");
  if (because.kind !== "audited") return because.would;
  const note = `rule "${because.rule}" only audits, but nothing passes here without a signature`;
  return { ...because.would, detail: `${because.would.detail}; ${note}` };
}

/** @throws Rejection for an image that is refused before any service is asked */
function refuseUnserved({ name, digest }: Subject, { policy }: Current): void {
  if (!hostsOfRules(policy).hosts.includes(name.host))
    reject("policy.no_match", `no rule of the policy names the registry ${name.host}, and this gate serves no other`);
  refuseUntoldTag(select(policy, name, digest), "podman, CRI-O and skopeo do not tell which tag is pulled");
}

function sessionFor({ config }: Current, { counts, warnings }: Context): Session {
  return {
    deadline: new Deadline(performance.now() + config.deadline),
    requestCounts: counts,
    privateRegistry: "network.allow",
    now: () => Date.now(),
    warn: warnings.warn,
    ruleSelected: () => {},
    beforeHeavyWork: () => {},
  };
}

function signed({ name, digest }: Subject, because: Signed | Exempt, key: NodeKey): Reply {
  const verified =
    because.kind === "exempt"
      ? { code: "exempt", because: because.because }
      : {
          code: "signed",
          rule: because.rule,
          evidenceAt: formatDateTime(because.verifiedAt ?? Date.now()),
          signers: because.signatures.map(({ signer, rev }) => ({ did: signer, rev })),
        };
  const optional = {
    creator: `atcr-verify ${BUILD}`,
    timestamp: Math.floor(Date.now() / 1000),
    "atcr-verify": verified,
  };
  const payload = simpleSigningPayload({ digest, reference: formatReference(name), optional });
  return { status: 200, phrase: "OK", body: lookasideSignature(payload, key.sign(payload)) };
}

function refused(answer: Answer): Reply {
  return { status: 403, phrase: printable(reasonLine(answer).trimEnd()).slice(0, MAX_PHRASE) };
}
