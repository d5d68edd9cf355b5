import { askIdentities } from "../collect/ask-identities.ts";
import type { CollectContext } from "../collect/context.ts";
import type { Config } from "../config/config.ts";
import { type CheckResult, ok, problem, warning } from "../doctor/check.ts";
import { HttpFailure, type HttpRequest } from "../net/exchange.ts";
import { isJudging } from "../policy/finding.ts";
import type { TrustedSigner, TrustPolicy } from "../policy/policy.ts";
import { signersOfAll } from "../policy/signer-refs.ts";
import { isLasting } from "../policy/standing.ts";

/** Signers, and registries, that are asked: enough to see that the way there is open. */
const MAX_SIGNERS = 5;
const MAX_REGISTRIES = 5;
/** Milliseconds for one of them. */
const TIMEOUT = 3_000;
/** HTTP statuses of a service that cannot serve now; 501 is that of one that knows no such question. */
const UNABLE = new Set([429, 500, 502, 503, 504]);

/** Whether the services that the policy makes pulls depend on can be reached from here, as a pull would. */
export async function checkServices(
  policy: TrustPolicy,
  config: Config,
  context: CollectContext,
): Promise<readonly CheckResult[]> {
  const [signers, registries] = [signersOf(policy, context.now()), registriesOf(policy)];
  const [ofSigners, ofRegistries] = await Promise.all([
    checkSigners(signers.slice(0, MAX_SIGNERS), context),
    Promise.all(registries.slice(0, MAX_REGISTRIES).map((host) => checkRegistry(host, context))),
  ]);
  const none = signers.length === 0 ? [ok("signers", "the policy trusts nobody, so nobody is asked who they are")] : [];
  const directories = config.plcDirectories.join(", ");
  return [
    ...none,
    ...ofSigners.map((finding) => withDirectory(finding, directories)),
    ...notAsked("identity", "signers", signers.length - MAX_SIGNERS),
    ...ofRegistries,
    ...notAsked("registry", "registries", registries.length - MAX_REGISTRIES),
  ];
}

function notAsked(name: string, what: string, count: number): readonly CheckResult[] {
  if (count <= 0) return [];
  const advice =
    what === "signers" ? "run: atcr-verify policy check, which asks all" : "those were the first in the policy";
  return [warning(name, `${count} more ${what} were not asked`, advice)];
}

function signersOf(policy: TrustPolicy, now: number): readonly TrustedSigner[] {
  const { rules, everyone, fallback } = policy;
  const trusted = fallback === "audit" ? everyone : signersOfAll(policy, rules.filter(isJudging));
  return trusted.filter((one) => isLasting(one, now));
}

/** Hosts that rules with evidence name, in their order; wildcards name none. */
function registriesOf({ rules }: TrustPolicy): readonly string[] {
  const hosts = rules.filter(isJudging).flatMap(({ scopes }) => scopes.map(({ segments }) => segments[0] ?? ""));
  return [...new Set(hosts.filter((host) => host !== "" && !host.includes("*")))];
}

async function checkSigners(
  signers: readonly TrustedSigner[],
  context: CollectContext,
): Promise<readonly CheckResult[]> {
  const identities = await askIdentities(
    signers.map(({ did }) => did),
    context,
  );
  const pdses = new Set<string>();
  const findings = signers.map(({ did }): CheckResult => {
    const identity = identities.get(did);
    if (identity === undefined) return warning("identity", `${did} was not asked for`, "run the doctor again");
    if ("code" in identity)
      return problem(
        "identity",
        `who ${did} is cannot be told: ${identity.code}: ${identity.detail}`,
        "pulls of what they signed are refused until it can",
      );
    pdses.add(identity.pds);
    return ok("identity", `${did} is proven; key ${identity.key.didKey}, PDS ${identity.pds}`);
  });
  return [...findings, ...(await Promise.all([...pdses].map((pds) => checkPds(pds, context))))];
}

function withDirectory(finding: CheckResult, directories: string): CheckResult {
  return finding.name === "identity" && finding.level === "problem"
    ? { ...finding, found: `${finding.found} (directories: ${directories})` }
    : finding;
}

async function checkPds(pds: string, context: CollectContext): Promise<CheckResult> {
  const found = await reach({ url: `${pds}/xrpc/_health`, purpose: "PDS", originMayBePrivate: false }, context);
  if (found === undefined) return ok("pds", `${pds} answers`);
  return problem(
    "pds",
    `${pds} cannot be asked: ${found}`,
    "pulls of what is signed there are refused, unless the rule has maxStaleness",
  );
}

async function checkRegistry(host: string, context: CollectContext): Promise<CheckResult> {
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
      const why = unusable ?? (await reach(request, context));
      if (why === undefined || plain === undefined) return { root, why };
      return { root: plain.root, why: await reach({ ...request, url: `${plain.root}/` }, context) };
    }),
  );
  const failed = tried.flatMap(({ root, why }) => (why === undefined ? [] : [`${root}: ${why}`]));
  if (failed.length === 0 && problems.length === 0)
    return ok("registry", `${host} answers (${tried.map(({ root }) => root).join(", ")})`);
  return warning(
    "registry",
    `${host}: ${[...problems, ...failed].join("; ")}`,
    "referrers may not be seen there; signatures of signers that a rule names are found without",
  );
}

/** @returns why it cannot be asked; any answer but that it cannot serve now will do */
async function reach(
  request: Pick<HttpRequest, "url" | "purpose" | "originMayBePrivate" | "tls" | "headers">,
  { http, deadline }: CollectContext,
): Promise<string | undefined> {
  try {
    const limits = { accept: "*/*", maxBytes: 64 * 1024, timeout: TIMEOUT, maxRedirects: 0 };
    const { status } = await http({ ...request, ...limits }, deadline);
    return UNABLE.has(status) ? `it answers with status ${status}` : undefined;
  } catch (error) {
    // No redirect is followed here, and a redirect is an answer.
    return error instanceof HttpFailure && error.isRedirected ? undefined : (error as Error).message;
  }
}
