import { selectorText } from "../platform/kubernetes/label-selector.ts";
import { pathOf, type Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, problem, warning } from "./check.ts";
import { seesPods } from "./cluster-rules.ts";

/** Seconds. The server has one less: the API server rounds up what is left. */
const LEAST_TIMEOUT = 3;
/** Seconds: the API allows no more. */
const MOST_TIMEOUT = 30;
/** Seconds beside the deadline, for the review itself. */
const SPARE = 2;
const REVIEW_VERSION = "v1";
/** Characters of a matchCondition. `kubectl get` shows all. */
const SHOWN = 80;
/** Of the server's own policy; `/admit/NAME` is another one's. */
const DEFAULT_PATH = "/admit";

/**
 * What a webhook of this program says of when it is called, and what follows where it fails. Nothing is found where all is well.
 *
 * @param deadline milliseconds that the server has for one image where nothing shortens it
 */
export function checkWebhookSettings(webhook: Webhook, deadline: number): readonly CheckResult[] {
  return [
    ...checkFailurePolicy(webhook),
    ...checkTimeout(webhook, deadline),
    ...checkReviewVersions(webhook),
    ...checkSideEffects(webhook),
    ...checkObjectSelector(webhook),
    ...checkMatchPolicy(webhook),
    ...checkReinvocation(webhook),
  ];
}

/** Where a mutating webhook fails, the validating one refuses the tag; and what sees no pods lets none in. */
function checkFailurePolicy(webhook: Webhook): readonly CheckResult[] {
  const { failurePolicy, kind, rules } = webhook;
  const name = "cluster-failure-policy";
  if (failurePolicy === "Fail" || kind === "mutating" || !seesPods(rules)) return [];
  const path = pathOf(webhook);
  const what = "where it fails, pods are admitted unverified";
  // Of a policy that only audits, the cluster's administrators may prefer that.
  if (path !== DEFAULT_PATH) {
    const found = `failurePolicy ${failurePolicy}, which is meant for a policy that only audits: ${what}; if that of ${path} refuses, set it to Fail`;
    return [note(name, found)];
  }
  return [problem(name, `failurePolicy ${failurePolicy}: ${what}`, "set failurePolicy to Fail")];
}

function checkTimeout({ timeout }: Webhook, deadline: number): readonly CheckResult[] {
  const name = "cluster-timeout";
  const has = `timeoutSeconds ${timeout}`;
  const wanted = Math.ceil(deadline / 1000) + SPARE;
  const set = `set timeoutSeconds to ${Math.min(MOST_TIMEOUT, wanted)}`;
  if (timeout < LEAST_TIMEOUT) return [problem(name, `${has}: images that are not cached are refused`, set)];
  if (timeout * 1000 > deadline) return [];
  const lower = `lower \`deadline\` of the server to ${MOST_TIMEOUT - SPARE}s`;
  const both = timeout === MOST_TIMEOUT ? lower : `${lower}, and ${set}`;
  const left = `the server has ${timeout - 1} s of its deadline of ${deadline / 1000} s`;
  return [warning(name, `${has}: ${left}`, wanted > MOST_TIMEOUT ? both : set)];
}

/** The API server takes the first version that it knows. */
function checkReviewVersions(webhook: Webhook): readonly CheckResult[] {
  const { reviewVersions } = webhook;
  if (reviewVersions.length === 1 && reviewVersions[0] === REVIEW_VERSION) return [];
  const name = "cluster-review-versions";
  const found = `admissionReviewVersions ${JSON.stringify(reviewVersions)}`;
  const advice = `set them to ["${REVIEW_VERSION}"], which the server speaks alone`;
  if (reviewVersions[0] === REVIEW_VERSION) return [warning(name, found, advice)];
  return [problem(name, `${found}: reviews are sent in a version that the server does not speak`, advice)];
}

function checkSideEffects(webhook: Webhook): readonly CheckResult[] {
  const { sideEffects } = webhook;
  if (sideEffects === "None") return [];
  const found = `sideEffects ${sideEffects}: a dry run may be refused, or not verified`;
  return [warning("cluster-side-effects", found, "set sideEffects to None")];
}

function checkObjectSelector(webhook: Webhook): readonly CheckResult[] {
  const { objectSelector, kind } = webhook;
  if (objectSelector.length === 0) return [];
  const found = `the objectSelector ${selectorText(objectSelector)}: the author of a pod writes its labels, and so decides whether it is ${kind === "validating" ? "verified" : "pinned"}`;
  const advice = "remove it, and use a namespaceSelector";
  return kind === "validating"
    ? [problem("cluster-object-selector", found, advice)]
    : [warning("cluster-object-selector", found, advice)];
}

function checkMatchPolicy(webhook: Webhook): readonly CheckResult[] {
  if (webhook.matchPolicy !== "Exact") return [];
  const found = "matchPolicy Exact: what is sent by a version that its rules do not name passes it";
  return [warning("cluster-match-policy", found, "set matchPolicy to Equivalent")];
}

/** A webhook that runs later may add a container. */
function checkReinvocation(webhook: Webhook): readonly CheckResult[] {
  if (webhook.kind === "validating" || webhook.reinvocationPolicy === "IfNeeded") return [];
  const found = `reinvocationPolicy ${webhook.reinvocationPolicy}: containers that a later webhook adds keep their tags, and are refused`;
  return [warning("cluster-reinvocation", found, "set reinvocationPolicy to IfNeeded")];
}

/** Whether they leave pods out is for a person to see: each is a program in CEL. */
export function showConditions({ matchConditions }: Webhook): readonly CheckResult[] {
  if (matchConditions.length === 0) return [];
  const conditions = matchConditions.map(({ name, expression }) => `${name} (${shortened(expression)})`);
  return [note("cluster-match-conditions", `called only where these matchConditions hold: ${conditions.join(", ")}`)];
}

function shortened(expression: string): string {
  const line = expression.replaceAll(/\s+/g, " ").trim();
  return line.length <= SHOWN ? line : `${line.slice(0, SHOWN)}...`;
}
