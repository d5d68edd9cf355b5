import { selectorText } from "../platform/kubernetes/label-selector.ts";
import { pathOf, type Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";
import { named } from "./cluster-own-webhooks.ts";

/** Seconds. The server has one less: the API server rounds up what is left. */
const LEAST_TIMEOUT = 3;
const REVIEW_VERSION = "v1";
/** Of the server's own policy; `/admit/NAME` is another one's. */
const DEFAULT_PATH = "/admit";

/**
 * What a webhook of this program says of when it is called, and what follows where it fails.
 *
 * @param deadline milliseconds that the server has for one image where nothing shortens it
 */
export function checkWebhookSettings(webhook: Webhook, deadline: number): readonly CheckResult[] {
  const findings = [
    ...checkFailurePolicy(webhook),
    ...checkTimeout(webhook, deadline),
    ...checkReviewVersions(webhook),
    ...checkSideEffects(webhook),
    ...checkObjectSelector(webhook),
    ...checkMatchPolicy(webhook),
    ...checkReinvocation(webhook),
  ];
  if (findings.some(({ level }) => level === "problem" || level === "warning")) return findings;
  const { failurePolicy, timeout } = webhook;
  const settings = `failurePolicy ${failurePolicy}, ${timeout} s, ${REVIEW_VERSION}, no objectSelector`;
  return [ok("cluster-settings", `${named(webhook)} has ${settings}`), ...findings];
}

function checkFailurePolicy(webhook: Webhook): readonly CheckResult[] {
  const { failurePolicy, kind } = webhook;
  const name = "cluster-failure-policy";
  if (failurePolicy === "Fail") return [];
  const has = `${named(webhook)} has failurePolicy ${failurePolicy}`;
  // What it does not pin, the validating half refuses.
  if (kind === "mutating") return [note(name, `${has}: where it fails, pods keep their tags, which /admit refuses`)];
  const found = `${has}: pods are admitted unverified where it fails`;
  // Of a policy that only audits, the cluster's administrators may prefer that.
  if (pathOf(webhook) !== DEFAULT_PATH) {
    return [note(name, `${found}; set it to Fail, unless the policy of ${pathOf(webhook)} only audits`)];
  }
  return [problem(name, found, "set failurePolicy to Fail")];
}

function checkTimeout(webhook: Webhook, deadline: number): readonly CheckResult[] {
  const name = "cluster-timeout";
  const { timeout } = webhook;
  const has = `${named(webhook)} has timeoutSeconds ${timeout}`;
  const advice = `set timeoutSeconds to ${Math.min(30, Math.ceil(deadline / 1000) + 2)}`;
  if (timeout < LEAST_TIMEOUT) return [problem(name, `${has}: images that are not cached are refused`, advice)];
  const left = `the server has ${timeout - 1} s of its deadline of ${deadline / 1000} s`;
  return timeout * 1000 <= deadline ? [warning(name, `${has}: ${left}`, advice)] : [];
}

/** The API server takes the first version that it knows. */
function checkReviewVersions(webhook: Webhook): readonly CheckResult[] {
  const { reviewVersions } = webhook;
  if (reviewVersions.length === 1 && reviewVersions[0] === REVIEW_VERSION) return [];
  const name = "cluster-review-versions";
  const found = `${named(webhook)} has admissionReviewVersions ${JSON.stringify(reviewVersions)}`;
  const advice = `set them to ["${REVIEW_VERSION}"], which the server speaks alone`;
  if (reviewVersions[0] === REVIEW_VERSION) return [warning(name, found, advice)];
  return [problem(name, `${found}: reviews are sent in a version that the server does not speak`, advice)];
}

function checkSideEffects(webhook: Webhook): readonly CheckResult[] {
  const { sideEffects } = webhook;
  if (sideEffects === "None") return [];
  const found = `${named(webhook)} has sideEffects ${sideEffects}: a dry run may be refused, or not verified`;
  return [warning("cluster-side-effects", found, "set sideEffects to None")];
}

function checkObjectSelector(webhook: Webhook): readonly CheckResult[] {
  const { objectSelector, kind } = webhook;
  if (objectSelector.length === 0) return [];
  const found = `${named(webhook)} has the objectSelector ${selectorText(objectSelector)}: the author of a pod writes its labels, and so decides whether it is ${kind === "validating" ? "verified" : "pinned"}`;
  const advice = "remove it, and use a namespaceSelector";
  return kind === "validating"
    ? [problem("cluster-object-selector", found, advice)]
    : [warning("cluster-object-selector", found, advice)];
}

function checkMatchPolicy(webhook: Webhook): readonly CheckResult[] {
  if (webhook.matchPolicy !== "Exact") return [];
  const found = `${named(webhook)} has matchPolicy Exact: what is sent by a version that its rules do not name passes it`;
  return [warning("cluster-match-policy", found, "set matchPolicy to Equivalent")];
}

/** A webhook that runs later may add a container. */
function checkReinvocation(webhook: Webhook): readonly CheckResult[] {
  if (webhook.kind === "validating" || webhook.reinvocationPolicy === "IfNeeded") return [];
  const found = `${named(webhook)} has reinvocationPolicy ${webhook.reinvocationPolicy}: containers that a later webhook adds keep their tags, and are refused`;
  return [warning("cluster-reinvocation", found, "set reinvocationPolicy to IfNeeded")];
}

/** Whether they leave pods out is for a person to see: each is a program in CEL. Shown once, as webhooks share them. */
export function showConditions(webhooks: readonly Webhook[]): readonly CheckResult[] {
  const shared = new Map<string, string[]>();
  for (const { kind, name: webhook, matchConditions } of webhooks) {
    for (const { name, expression } of matchConditions) {
      const condition = `the matchCondition ${name} holds: ${expression.replaceAll(/\s+/g, " ").trim()}`;
      shared.set(condition, [...(shared.get(condition) ?? []), `${webhook} (${kind})`]);
    }
  }
  return [...shared].map(([condition, names]) =>
    note("cluster-match-conditions", `${names.join(", ")}: called only where ${condition}`),
  );
}
