import type { JsonObject } from "../core/encoding/json.ts";
import { labelsIn, mapIn, nameOf, numberIn, textIn, textsIn } from "../platform/kubernetes/api-object.ts";
import type { Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { checkAuthority } from "./cluster-authority.ts";
import { ofEach } from "./cluster-each-webhook.ts";
import { OWN_LABEL, OWN_NAME } from "./cluster-own-webhooks.ts";

/** Lists in which others ask this program; a cluster without them answers with 404. */
export const PROVIDERS = "/apis/externaldata.gatekeeper.sh/v1beta1/providers";
export const KYVERNO_LISTS = [
  "/apis/policies.kyverno.io/v1/validatingpolicies",
  "/apis/kyverno.io/v1/clusterpolicies",
] as const;
/** Seconds that a provider needs at least beside what Gatekeeper does itself. */
const SPARE = 1;
const GATEKEEPER = "cluster-gatekeeper";
const KYVERNO = "cluster-kyverno";
/** Texts of a Kyverno policy that are looked at. Stops an object of nothing else. */
const MAX_TEXTS = 10_000;

/** Gatekeeper's providers that lead to this program. */
export function ownProviders(providers: readonly JsonObject[]): readonly JsonObject[] {
  return providers.filter((provider) => {
    const url = URL.parse(textIn(mapIn(provider, "spec"), "url") ?? "");
    return isNamed(provider) || url?.hostname.includes(OWN_NAME) === true;
  });
}

/** Kyverno's policies that ask this program. */
export function ownKyvernoPolicies(policies: readonly JsonObject[]): readonly JsonObject[] {
  return policies.filter((policy) => {
    const texts = textsBelow(mapIn(policy, "spec"));
    return texts.some((text) => text.includes("/v1/verify") && (text.includes(OWN_NAME) || isNamed(policy)));
  });
}

/** Gatekeeper's own webhooks fail open unless they are changed, and so does what asks this program by a provider. */
export function checkGatekeeper(
  providers: readonly JsonObject[],
  webhooks: readonly Webhook[],
  now: number,
): readonly CheckResult[] {
  if (providers.length === 0) return [];
  const timeouts = providers.map((provider) => numberIn(mapIn(provider, "spec"), "timeout") ?? 0);
  const validating = webhooks.filter(
    ({ kind, name }) => kind === "validating" && /^validation\.gatekeeper\.sh$/.test(name),
  );
  return [
    ...providers.flatMap((provider, i) => checkProvider(provider, timeouts[i] ?? 0, now)),
    ...(validating.length === 0
      ? [problem(GATEKEEPER, "Gatekeeper's validating webhook is not registered", "install Gatekeeper with it")]
      : ofEach(validating, (webhook) => checkGatekeeperWebhook(webhook, Math.max(...timeouts)))),
  ];
}

function checkProvider(provider: JsonObject, timeout: number, now: number): readonly CheckResult[] {
  const spec = mapIn(provider, "spec");
  const what = `Gatekeeper's provider ${nameOf(provider)}`;
  const url = textIn(spec, "url") ?? "";
  const authority = checkAuthority(textIn(spec, "caBundle"), now);
  return [
    { ...authority, found: `${what}: ${authority.found}` },
    timeout > 0
      ? ok(GATEKEEPER, `${what} asks ${url} and waits ${timeout} s`)
      : problem(
          GATEKEEPER,
          `${what} has no timeout, which is over at once: nothing is verified`,
          "set spec.timeout to 2",
        ),
  ];
}

function checkGatekeeperWebhook(webhook: Webhook, timeout: number): readonly CheckResult[] {
  const findings: CheckResult[] = [];
  const { failurePolicy } = webhook;
  if (failurePolicy !== "Fail") {
    const found = `failurePolicy ${failurePolicy}: pods are admitted unverified where Gatekeeper fails`;
    findings.push(problem(GATEKEEPER, found, "set its failurePolicy to Fail (Helm: validatingWebhookFailurePolicy)"));
  }
  if (webhook.timeout < timeout + SPARE) {
    const found = `${webhook.timeout} s, and waits ${timeout} s for the provider alone`;
    findings.push(
      warning(GATEKEEPER, found, "give it more (Helm: validatingWebhookTimeoutSeconds), or the provider less"),
    );
  }
  return findings.length === 0 ? [ok(GATEKEEPER, "failurePolicy Fail")] : findings;
}

/** Kyverno registers a webhook of its own for each failurePolicy, and sorts its policies by it. */
export function checkKyverno(policies: readonly JsonObject[], webhooks: readonly Webhook[]): readonly CheckResult[] {
  if (policies.length === 0) return [];
  const isThere = webhooks.some(
    ({ kind, service }) => kind === "validating" && service?.name.startsWith("kyverno-svc"),
  );
  const missing = isThere
    ? []
    : [problem(KYVERNO, "no validating webhook of Kyverno is registered", "see its admission controller")];
  return [...missing, ...policies.flatMap(checkKyvernoPolicy)];
}

function checkKyvernoPolicy(policy: JsonObject): readonly CheckResult[] {
  const spec = mapIn(policy, "spec");
  const what = `Kyverno's policy ${nameOf(policy)}`;
  const failure =
    textIn(mapIn(spec, "webhookConfiguration"), "failurePolicy") ?? textIn(spec, "failurePolicy") ?? "Fail";
  const actions = [...textsIn(spec, "validationActions"), textIn(spec, "validationFailureAction") ?? ""];
  const findings: CheckResult[] = [];
  if (failure !== "Fail") {
    const found = `${what} has failurePolicy ${failure}: pods are admitted unverified where it fails`;
    findings.push(problem(KYVERNO, found, "set its failurePolicy to Fail"));
  }
  const isAudited =
    actions.some((action) => /^audit$/i.test(action)) && !actions.some((action) => /^deny|enforce$/i.test(action));
  if (isAudited) findings.push(warning(KYVERNO, `${what} only audits: it refuses nothing`, "have it deny"));
  return findings.length === 0 ? [ok(KYVERNO, `${what} asks this program, and has failurePolicy Fail`)] : findings;
}

function isNamed(object: JsonObject): boolean {
  return labelsIn(mapIn(object, "metadata"), "labels").get(OWN_LABEL) === OWN_NAME || nameOf(object).includes(OWN_NAME);
}

function textsBelow(root: JsonObject): readonly string[] {
  const texts: string[] = [];
  const open: unknown[] = [root];
  for (let value = open.pop(); value !== undefined && texts.length < MAX_TEXTS; value = open.pop()) {
    if (typeof value === "string") texts.push(value);
    else if (typeof value === "object" && value !== null)
      for (const one of Object.values(value)) open.push(one as unknown);
  }
  return texts;
}
