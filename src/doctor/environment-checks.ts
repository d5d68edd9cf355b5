import type { Daemon } from "../platform/containerd/daemon.ts";
import type { Dockerd, OtherClients } from "../platform/other-clients.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";

/** Variables that can make other code run in or instead of this program (docs/threat-model.md). */
const CODE = /^(?:BUN_BE_BUN|BUN_INSPECT.*|LD_PRELOAD|LD_AUDIT)$/;
const ENGINE = /^(?:BUN_|NODE_|JSC_)/;
const TRUST = /^(?:SSL_CERT_FILE|SSL_CERT_DIR)$/;
const FURTHER_TRUST = "NODE_EXTRA_CA_CERTS";
const PLACES = /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE)$/;
const PROXY = /^(?:https?_proxy|no_proxy|all_proxy)$/i;

/** Variables of containerd's environment that affect this program when containerd runs it. */
export function checkEnvironment(daemon: Daemon | undefined): readonly CheckResult[] {
  const name = "environment";
  if (daemon === undefined) return [];
  const { environment, pid } = daemon;
  const where = `the environment of containerd (process ${pid})`;
  const findings = [...environment].flatMap(([variable, value]): readonly CheckResult[] => {
    if (CODE.test(variable)) {
      return [
        problem(
          name,
          `${variable} in ${where} can make other code run in or instead of this program`,
          "remove it, and restart containerd",
        ),
      ];
    }
    if (variable === "BUN_JSC_useJIT") {
      return [ok(name, `${variable}=${value} in ${where} turns this program's just-in-time compilation on or off`)];
    }
    if (variable === FURTHER_TRUST) {
      const found = `${variable}=${value} in ${where} is ignored: containerd does not trust these authorities either`;
      return [warning(name, found, `remove ${variable}; if it is intended, list the file in network.caFiles`)];
    }
    if (ENGINE.test(variable)) {
      return [
        warning(name, `${variable} in ${where} changes the runtime of this program`, "remove it unless intended"),
      ];
    }
    // containerd also sets it for its children, with a trailing colon: that means its own working directory.
    if (variable === "LD_LIBRARY_PATH") {
      return [
        warning(
          name,
          `${variable}=${value} in ${where} changes which shared libraries this program loads`,
          "remove it unless intended",
        ),
      ];
    }
    if (TRUST.test(variable))
      return [ok(name, `${variable}=${value} in ${where} sets the trusted certificate authorities`)];
    if (PLACES.test(variable)) return [ok(name, `${variable}=${value} in ${where} is used by this program`)];
    return [];
  });
  const proxies = [...environment.keys()].filter((variable) => PROXY.test(variable));
  if (proxies.length > 0)
    findings.push(ok(name, `the proxy is set by ${proxies.join(", ")} in ${where}, unless network.proxy is set`));
  return findings.length > 0 ? findings : [ok(name, `nothing in ${where} affects this program`)];
}

/** What verifies an image for an engine that asks no verifiers: the digest that is pulled is the one that was verified. */
export const DOCKER_ADVICE =
  'pull only what was verified, by its digest: docker pull "$(atcr-verify --output ref IMAGE)"; or remove dockerd from nodes that must verify every pull';

/** What is known of dockerd without a pull. @param why a clause: what was tried, or would show more */
export function unprobedDocker({ how }: Dockerd, why: string): CheckResult {
  const found = `dockerd is on this node (${how}): Docker's own engine pulls without asking the verifiers of bin_dir, Bottlerocket's asks them; ${why}`;
  return warning("other-clients", found, DOCKER_ADVICE);
}

/** Clients that are known to pull without asking verifiers. @param ofDocker what a pull by dockerd has shown */
export function checkOtherClients({ dockerd, nerdctl }: OtherClients, ofDocker?: CheckResult): readonly CheckResult[] {
  const name = "other-clients";
  const findings: CheckResult[] = [];
  if (dockerd !== undefined)
    findings.push(ofDocker ?? unprobedDocker(dockerd, "a pull will tell: atcr-verify doctor --probe"));
  if (nerdctl !== undefined && (nerdctl.version === undefined || isBefore(nerdctl.version, 2, 3))) {
    const found = `${nerdctl.path} is version ${nerdctl.version ?? "(unknown)"}: before 2.3 nerdctl pulls without asking verifiers`;
    findings.push(warning(name, found, "upgrade it to 2.3 or later"));
  }
  findings.push(
    note(
      name,
      "ctr images pull --local, ctr images import and direct writes to containerd's content store are not verified; only root can use them",
    ),
  );
  return findings;
}

function isBefore(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version
    .replace(/^v/, "")
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  return first < major || (first === major && second < minor);
}
