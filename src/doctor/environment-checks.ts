import type { Daemon } from "../platform/containerd/daemon.ts";
import type { OtherClients } from "../platform/other-clients.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";

/** Variables of containerd's environment that change what the program is, or does (docs/threat-model.md). */
const CODE = /^(?:BUN_BE_BUN|BUN_INSPECT.*|LD_PRELOAD|LD_AUDIT)$/;
const ENGINE = /^(?:BUN_|NODE_|JSC_)/;
const TRUST = /^(?:SSL_CERT_FILE|SSL_CERT_DIR)$/;
const FURTHER_TRUST = "NODE_EXTRA_CA_CERTS";
const PLACES = /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE)$/;
const PROXY = /^(?:https?_proxy|no_proxy|all_proxy)$/i;

/** What of the daemon's environment the program would heed when containerd runs it. */
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
          `${variable} in ${where} can run other code in place of this program's`,
          "remove it, and restart containerd",
        ),
      ];
    }
    if (variable === "BUN_JSC_useJIT") {
      return [ok(name, `${variable}=${value} in ${where} decides about just-in-time compilation`)];
    }
    if (variable === FURTHER_TRUST) {
      const found = `${variable}=${value} in ${where} is not read: containerd does not trust those authorities either`;
      return [warning(name, found, `name the file in network.caFiles if it is meant, and remove ${variable}`)];
    }
    if (ENGINE.test(variable)) {
      return [
        warning(name, `${variable} in ${where} changes the runtime of this program`, "remove it unless it is meant"),
      ];
    }
    // containerd sets it for its children itself, with a colon at the end: the working directory, which is its own.
    if (variable === "LD_LIBRARY_PATH") {
      return [
        warning(
          name,
          `${variable}=${value} in ${where} chooses the libraries of this program`,
          "remove it unless it is meant",
        ),
      ];
    }
    if (TRUST.test(variable)) return [ok(name, `${variable}=${value} in ${where} chooses whom TLS trusts`)];
    if (PLACES.test(variable)) return [ok(name, `${variable}=${value} in ${where} is heeded`)];
    return [];
  });
  const proxies = [...environment.keys()].filter((variable) => PROXY.test(variable));
  if (proxies.length > 0)
    findings.push(ok(name, `${proxies.join(", ")} in ${where} choose the proxy, unless the configuration does`));
  return findings.length > 0 ? findings : [ok(name, `nothing in ${where} changes what this program does`)];
}

/** Clients that are known not to ask verifiers. */
export function checkOtherClients({ dockerd, nerdctl }: OtherClients): readonly CheckResult[] {
  const name = "other-clients";
  const findings: CheckResult[] = [];
  if (dockerd !== undefined) {
    findings.push(
      warning(
        name,
        `dockerd is there (${dockerd}): pulls of dockerd ask no verifier`,
        "remove it from nodes that shall enforce",
      ),
    );
  }
  if (nerdctl !== undefined && (nerdctl.version === undefined || isBefore(nerdctl.version, 2, 3))) {
    const found = `${nerdctl.path} is ${nerdctl.version ?? "of a version that it does not tell"}: before 2.3 it pulls by itself and asks no verifier`;
    findings.push(warning(name, found, "upgrade it"));
  }
  findings.push(
    ok(
      name,
      "ctr images pull --local, ctr images import and whoever else writes to containerd's content ask no verifier: root alone can",
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
