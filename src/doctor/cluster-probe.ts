import { randomBytes } from "node:crypto";
import { field, type JsonObject } from "../core/encoding/json.ts";
import { PROBE_PATH } from "../core/oci/reserved-name.ts";
import type { ApiAnswer, AskApi } from "../platform/kubernetes/api-client.ts";
import { labelsIn, mapIn, mapsIn, nameOf, textIn } from "../platform/kubernetes/api-object.ts";
import { pathOf, type Webhook } from "../platform/kubernetes/webhook.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";
import { listed } from "./cluster-each-webhook.ts";
import { lastOf } from "./probe.ts";

/** No registry is there, and no name of a registry is lost: port 1 of the node that would pull it. */
const HOST = "127.0.0.1:1";
const NAME = "cluster-probe";
/** Set on a static pod's image in the API, which cannot be changed there. */
const MIRROR = "kubernetes.io/config.mirror";
const NOT_VERIFIED = "pods are NOT verified: the other findings may show the cause, and so may the log of the server";

export interface ClusterProbe {
  /** Where the pod would be created. */
  readonly namespace: string;
  /** Webhooks of this program. */
  readonly own: readonly Webhook[];
  /** Those that are called for pods of that namespace; absent where that is not known. */
  readonly selecting?: readonly Webhook[];
  /** Of this program. */
  readonly build: string;
}

/** What one image was called in a probe. */
interface ProbeImage {
  readonly image: string;
  readonly digest: string;
}

/**
 * Has the API server decide on a pod whose image this program always refuses, by a dry run: all of admission runs, and nothing
 * is stored.
 */
export async function probeCluster(probe: ClusterProbe, ask: AskApi): Promise<readonly CheckResult[]> {
  const image = probeImage();
  const path = `/api/v1/namespaces/${encodeURIComponent(probe.namespace)}/pods?dryRun=All`;
  const answer = await ask({ method: "POST", path, body: podOf(image.image) });
  const created = judge(`the API server's dry run of a pod in ${probe.namespace}`, answer, image, probe);
  if (created.level !== "ok") return [created];
  return [created, await probeEphemeral(probe, ask)];
}

/** Asks for an ephemeral container in a pod that is there already, by a dry run too. */
async function probeEphemeral(probe: ClusterProbe, ask: AskApi): Promise<CheckResult> {
  const pods = `/api/v1/namespaces/${encodeURIComponent(probe.namespace)}/pods`;
  const { json } = await ask({ method: "GET", path: `${pods}?limit=50` });
  const pod = mapsIn(json ?? {}, "items").find((one) => {
    const metadata = mapIn(one, "metadata");
    return !labelsIn(metadata, "annotations").has(MIRROR) && field(metadata, "deletionTimestamp") === undefined;
  });
  const what = `an ephemeral container in ${probe.namespace}`;
  if (pod === undefined) return note(NAME, `${what} was not tried: there is no pod that this user can list`);
  const image = probeImage();
  const path = `${pods}/${encodeURIComponent(nameOf(pod))}/ephemeralcontainers?dryRun=All`;
  const answer = await ask({ method: "PUT", path, body: withEphemeral(pod, image.image) });
  if (isOwnRefusal(answer, image) || isAdmitted(answer))
    return judge(`the API server's dry run of ${what}`, answer, image, probe);
  return note(NAME, `${what} was not decided on: ${saidBy(answer)}`);
}

function probeImage(): ProbeImage {
  const digest = `sha256:${randomBytes(32).toString("hex")}`;
  return { image: `${HOST}/${PROBE_PATH}/${randomBytes(8).toString("hex")}@${digest}`, digest };
}

/** It satisfies the strictest standard of pods, so that nothing else has a reason to refuse it. */
function podOf(image: string) {
  const resources = { cpu: "1m", memory: "1Mi" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${PROBE_PATH}-${randomBytes(4).toString("hex")}`,
      labels: { "app.kubernetes.io/name": PROBE_PATH },
    },
    spec: {
      automountServiceAccountToken: false,
      restartPolicy: "Never",
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_534,
        runAsGroup: 65_534,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "probe",
          image,
          resources: { requests: resources, limits: resources },
          securityContext: RESTRICTED,
        },
      ],
    },
  };
}

const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
} as const;

function withEphemeral(pod: JsonObject, image: string) {
  const spec = mapIn(pod, "spec");
  const securityContext = { ...RESTRICTED, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
  const container = { name: `probe-${randomBytes(4).toString("hex")}`, image, securityContext };
  const ephemeralContainers = [...mapsIn(spec, "ephemeralContainers"), container];
  // A list leaves out what each of its objects is.
  return { ...pod, apiVersion: "v1", kind: "Pod", spec: { ...spec, ephemeralContainers } };
}

function judge(what: string, answer: ApiAnswer, image: ProbeImage, probe: ClusterProbe): CheckResult {
  if (isAdmitted(answer)) return admitted(what, probe);
  const said = saidBy(answer);
  const by = /\bwebhook "([^"]{1,253})" denied/.exec(said)?.[1];
  const webhook = probe.own.find(({ name }) => name === by);
  const at = webhook === undefined ? "" : ` at ${pathOf(webhook)}`;
  if (isOwnRefusal(answer, image)) return refused(`${what} was refused by this program${at}`, said, by, probe);
  return webhook === undefined ? notOurs(what, answer, said) : unusable(what, webhook, said);
}

function admitted(what: string, { namespace, selecting }: ClusterProbe): CheckResult {
  const found = `${what} with an image that this program always refuses was admitted`;
  if (selecting?.length === 0) {
    const left = `${found}: no webhook of this program selects ${namespace}`;
    return problem(NAME, left, "name a namespace that must be verified, by --namespace");
  }
  const hidden = (selecting ?? []).filter(({ failurePolicy }) => failurePolicy === "Ignore").map(({ name }) => name);
  if (hidden.length === 0) return problem(NAME, found, NOT_VERIFIED);
  const open = `${found}: failurePolicy Ignore of ${listed(hidden)}, which selects ${namespace}, hides why it failed`;
  return problem(NAME, open, "pods are NOT verified: the probe says why in a namespace that is enforced (--namespace)");
}

/** A policy that only audits refuses the probe too. */
function refused(found: string, said: string, by: string | undefined, { build, own }: ClusterProbe): CheckResult {
  const asked = /atcr-verify (.{1,100}?) was asked about/.exec(said)?.[1];
  const other = asked === undefined || asked === build ? "" : `, of another build than this one (${asked})`;
  const webhook = own.find(({ name }) => name === by);
  const isOther = webhook !== undefined && pathOf(webhook).startsWith("/admit/");
  const limit = isOther ? ": this shows that it is asked, not that the namespace is enforced" : "";
  return ok(NAME, `${found}${other}, as expected${by === undefined ? "" : ` (${by})`}${limit}`);
}

/** This program answered, but not as it answers a probe. */
function unusable(what: string, webhook: Webhook, said: string): CheckResult {
  const path = pathOf(webhook);
  if (!/denied the request: policy\.invalid\b/.test(said)) {
    const found = `${what} was refused by this program at ${path}, but not as a probe: ${lastOf(said)}`;
    return problem(NAME, found, "look up its code in docs/troubleshooting.md");
  }
  const named = /^\/[a-z]+\/([^/]+)$/.exec(path)?.[1];
  const found = `this program answered ${what}, but its policy for ${path} cannot be used: ${lastOf(said)}`;
  const correct = "correct its file, as the server's log says";
  return problem(NAME, found, named === undefined ? correct : `add ${named} to server.policies, or ${correct}`);
}

/** Refused, or failed, for another reason. */
function notOurs(what: string, { status }: ApiAnswer, said: string): CheckResult {
  const shown = lastOf(said);
  const failed = /failed calling webhook "([^"]{1,253})"/.exec(said)?.[1];
  if (failed !== undefined) {
    const found = `${what} failed, as the webhook ${failed} could not be called: ${shown}`;
    return problem(NAME, found, "while that is so every pod is refused: read the message, and the webhook's log");
  }
  if (status === 401 || /\bcannot create resource "pods"/.test(said) || status === 404) {
    const found = `${what} was not tried: ${shown}`;
    return warning(NAME, found, "name a namespace in which this user may create pods, by --namespace");
  }
  const found = `${what} was refused, but not by this program: ${shown}`;
  return problem(NAME, found, "read that message: something else refused it first, so nothing is proven");
}

/** The name is random, so the refusal is of this pod. */
function isOwnRefusal(answer: ApiAnswer, { image, digest }: ProbeImage): boolean {
  const said = saidBy(answer);
  // The webhook shortens digests; the path is as unguessable.
  const shortened = `${image.slice(0, -digest.length)}${digest.slice(0, "sha256:".length + 12)}`;
  return said.includes("policy.probe") && (said.includes(digest) || said.includes(shortened));
}

function isAdmitted({ status }: ApiAnswer): boolean {
  return status >= 200 && status < 300;
}

function saidBy({ status, json }: ApiAnswer): string {
  return (json && textIn(json, "message")) ?? `status ${status}`;
}
