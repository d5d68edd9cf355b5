import { pathOf, type Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";
import { ofEach } from "./cluster-each-webhook.ts";

/** What the shipped manifests call everything of this program, and how their objects are labelled. */
export const OWN_NAME = "atcr-verify";
export const OWN_LABEL = "app.kubernetes.io/name";
/** The server's paths: of a validating webhook, and of a mutating one; NAME picks one of several policies. */
const PATHS: Readonly<Record<Webhook["kind"], RegExp>> = {
  validating: /^\/admit(?:\/[^/]+)?$/,
  mutating: /^\/mutate(?:\/[^/]+)?$/,
};
const EXPECTED: Readonly<Record<Webhook["kind"], string>> = {
  validating: "/admit or /admit/NAME",
  mutating: "/mutate or /mutate/NAME",
};
const NAME = "cluster-webhook";
const REGISTER = "register one, as integrations/kubernetes does";

/** How it is known that a webhook leads to this program, as a clause; undefined where nothing says so. */
export function whyOwn({ labels, service, name, configuration, url }: Webhook): string | undefined {
  if (labels.get(OWN_LABEL) === OWN_NAME) return `by the label ${OWN_LABEL}`;
  if (service?.name.includes(OWN_NAME)) return `by the name of its service, ${service.namespace}/${service.name}`;
  if (name.includes(OWN_NAME) || configuration.includes(OWN_NAME)) return "by its name";
  if (URL.parse(url ?? "")?.hostname.includes(OWN_NAME)) return "by the host of its URL";
  return undefined;
}

/**
 * The webhooks of a cluster that lead to this program, and whether they lead to the right paths.
 *
 * @param otherGate something else of the cluster that asks this program; then no webhook is needed
 */
export function checkOwnWebhooks(
  all: readonly Webhook[],
  otherGate: string | undefined,
): { readonly own: readonly Webhook[]; readonly findings: readonly CheckResult[] } {
  const own = all.filter((webhook) => whyOwn(webhook) !== undefined);
  const findings = ofEach(own, checkPath);
  const unnamed = ofEach(
    all.filter((webhook) => !own.includes(webhook) && PATHS[webhook.kind].test(pathOf(webhook))),
    (webhook) => [
      note(
        NAME,
        `the path ${pathOf(webhook)}, but nothing names ${OWN_NAME}, so it is taken for another program's; if it is not, label its configuration ${OWN_LABEL}=${OWN_NAME}`,
      ),
    ],
  );
  if (own.some(({ kind }) => kind === "validating")) return { own, findings: [...findings, ...unnamed] };
  const none = `no validating webhook leads to ${OWN_NAME}`;
  const missing =
    otherGate === undefined
      ? problem(NAME, `${none}: pods are not verified when they are created`, REGISTER)
      : note(NAME, `${none}, but ${otherGate} asks it`);
  return { own, findings: [missing, ...findings, ...unnamed] };
}

function checkPath(webhook: Webhook): readonly CheckResult[] {
  const path = pathOf(webhook);
  const how = `known as ${OWN_NAME} ${whyOwn(webhook)}`;
  if (PATHS[webhook.kind].test(path)) return [ok(NAME, how)];
  const found = `${how}, but at the path ${path === "" ? "/" : path}, which the server does not answer`;
  return [problem(NAME, found, `set the path to ${EXPECTED[webhook.kind]}`)];
}

/** What is not pinned is refused, unless the server resolves tags by itself. */
export function checkPinning(own: readonly Webhook[]): readonly CheckResult[] {
  const kinds = new Set(own.map(({ kind }) => kind));
  if (!kinds.has("validating") || kinds.has("mutating")) return [];
  const found = `no mutating webhook leads to ${OWN_NAME}: nothing pins tags, so pods with a tag are refused where /admit judges`;
  return [warning(NAME, found, `${REGISTER}, or write digests`)];
}
