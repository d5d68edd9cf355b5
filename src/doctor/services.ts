import { didWebHost, isPlc } from "../core/atproto/syntax.ts";
import type { Config } from "../core/config/config.ts";
import type { TrustedSigner, TrustPolicy } from "../core/policy/policy.ts";
import { signersOfAll } from "../core/policy/signer-refs.ts";
import { isCurrentOrFuture } from "../core/policy/standing.ts";
import { isJudging } from "../core/policy-tools/policy-finding.ts";
import { HttpFailure, type HttpRequest } from "../io/net/exchange.ts";
import type { ShownChain } from "../io/net/shown-chain.ts";
import { askIdentities } from "../verifier/service/ask-identities.ts";
import type { DecideContext } from "../verifier/service/gather-and-judge.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";
import { checkSignatures } from "./signature-checks.ts";

/** Signers and registries that are checked: enough to show that the network path is open. */
const MAX_SIGNERS = 5;
const MAX_REGISTRIES = 5;
/** Milliseconds for one request. */
const TIMEOUT = 3_000;
/** Statuses of a service that cannot serve now. 501 only means that it does not implement this path. */
const UNABLE = new Set([429, 500, 502, 503, 504]);

/** What is needed to look at the certificates of a service. */
type Service = Pick<HttpRequest, "url" | "originMayBePrivate" | "tls">;
/** Fetches the certificate chain of a service. */
export type ShowChain = (service: Service) => Promise<ShownChain>;

/** Whether the services that pulls depend on under this policy can be reached, by the same path as a pull. */
export async function checkServices(
  policy: TrustPolicy,
  config: Config,
  context: DecideContext,
  show: ShowChain,
): Promise<readonly CheckResult[]> {
  const [signers, registries] = [signersOf(policy, context.now()), registriesOf(policy)];
  const answering = new Map<string, Service>();
  const answered = (service: Service): void => void answering.set(new URL(service.url).origin, service);
  const [ofSigners, ofRegistries] = await Promise.all([
    checkSigners(signers.slice(0, MAX_SIGNERS), context, answered),
    Promise.all(registries.slice(0, MAX_REGISTRIES).map((host) => checkRegistry(host, context, answered))),
  ]);
  const verified = [...answering].filter(([origin, { tls }]) => origin.startsWith("https:") && !tls?.skipVerify);
  const shown = await Promise.all(verified.map(async ([origin, service]) => [origin, await show(service)] as const));
  const none =
    signers.length === 0
      ? [ok("signers", "no rule that verifies has a trusted signer now, so no identity was looked up")]
      : [];
  const directories = config.plcDirectories.join(", ");
  return [
    ...none,
    ...ofSigners.map((finding) => withDirectory(finding, directories)),
    ...notAsked("identity", "signers", signers.length - MAX_SIGNERS),
    ...ofRegistries,
    ...notAsked("registry", "registries", registries.length - MAX_REGISTRIES),
    ...checkSignatures(new Map(shown)),
  ];
}

function notAsked(name: string, what: string, count: number): readonly CheckResult[] {
  if (count <= 0) return [];
  const advice = what === "signers" ? "run: atcr-verify policy check" : "only the first in the policy are checked";
  return [warning(name, `${count} more ${what} were not checked`, advice)];
}

function signersOf(policy: TrustPolicy, now: number): readonly TrustedSigner[] {
  const { rules, everyone, fallback } = policy;
  const trusted = fallback === "audit" ? everyone : signersOfAll(policy, rules.filter(isJudging));
  return trusted.filter((one) => isCurrentOrFuture(one, now));
}

/** Registry hosts in the scopes of rules that verify, in order; wildcards are skipped. */
function registriesOf({ rules }: TrustPolicy): readonly string[] {
  const hosts = rules.filter(isJudging).flatMap(({ scopes }) => scopes.map(({ segments }) => segments[0] ?? ""));
  return [...new Set(hosts.filter((host) => host !== "" && !host.includes("*")))];
}

async function checkSigners(
  signers: readonly TrustedSigner[],
  context: DecideContext,
  answered: (service: Service) => void,
): Promise<readonly CheckResult[]> {
  const identities = await askIdentities(
    signers.map(({ did }) => did),
    context,
  );
  const pdses = new Set<string>();
  const findings = signers.map(({ did }): CheckResult => {
    const identity = identities.get(did);
    if (identity === undefined) return warning("identity", `${did} was not looked up`, "run the doctor again");
    if ("code" in identity)
      return problem(
        "identity",
        `the identity of ${did} could not be verified: ${identity.code}: ${identity.detail}`,
        "until this is resolved, its signatures cannot be verified",
      );
    pdses.add(identity.pds);
    const asked = isPlc(did) ? context.config.plcDirectories : [`https://${didWebHost(did)}`];
    for (const url of asked) answered({ url, originMayBePrivate: false });
    return ok("identity", `the identity of ${did} is verified; key ${identity.key.didKey}, PDS ${identity.pds}`);
  });
  return [...findings, ...(await Promise.all([...pdses].map((pds) => checkPds(pds, context, answered))))];
}

function withDirectory(finding: CheckResult, directories: string): CheckResult {
  return finding.name === "identity" && finding.level === "problem"
    ? { ...finding, found: `${finding.found} (directories: ${directories})` }
    : finding;
}

async function checkPds(
  pds: string,
  context: DecideContext,
  answered: (service: Service) => void,
): Promise<CheckResult> {
  const request = { url: `${pds}/xrpc/_health`, purpose: "PDS", originMayBePrivate: false };
  const found = await reach(request, context, answered);
  if (found === undefined) return ok("pds", `${pds} answers`);
  return problem(
    "pds",
    `${pds} is not available: ${found}`,
    "check the network and the PDS; images signed there are refused meanwhile, unless their rule has maxStaleness",
  );
}

async function checkRegistry(
  host: string,
  context: DecideContext,
  answered: (service: Service) => void,
): Promise<CheckResult> {
  const { all, problems } = context.registries.endpoints({ host });
  const tried = await Promise.all(
    all.map(async ({ root, unusable, tls, headers, plain }) => {
      const request = {
        url: `${root}/`,
        purpose: "registry",
        originMayBePrivate: true,
        ...(tls && { tls }),
        ...(headers && { headers }),
      };
      const why = unusable ?? (await reach(request, context, answered));
      if (why === undefined || plain === undefined) return { root, why };
      return { root: plain.root, why: await reach({ ...request, url: `${plain.root}/` }, context, answered) };
    }),
  );
  const failed = tried.flatMap(({ root, why }) => (why === undefined ? [] : [`${root}: ${why}`]));
  if (failed.length === 0 && problems.length === 0)
    return ok("registry", `${host} answers (${tried.map(({ root }) => root).join(", ")})`);
  return warning(
    "registry",
    `${host}: ${[...problems, ...failed].join("; ")}`,
    "check the registry; its referrers may be missed, but signers that a rule names are found without them",
  );
}

/** @returns why it is not available; undefined for every answer except a status in {@link UNABLE} */
async function reach(
  request: Pick<HttpRequest, "url" | "purpose" | "originMayBePrivate" | "tls" | "headers">,
  { http, deadline }: DecideContext,
  answered: (service: Service) => void,
): Promise<string | undefined> {
  try {
    const limits = { accept: "*/*", maxBytes: 64 * 1024, timeout: TIMEOUT, maxRedirects: 0 };
    const { status } = await http({ ...request, ...limits }, deadline);
    answered(request);
    return UNABLE.has(status) ? `it answers with status ${status}` : undefined;
  } catch (error) {
    // No redirect is followed here, and a redirect is an answer.
    if (!(error instanceof HttpFailure && error.isRedirected)) return (error as Error).message;
    answered(request);
    return undefined;
  }
}
