import { examine } from "../io/net/authorities.ts";
import type { PemFile } from "../io/net/exchange.ts";
import { readSystemRoots } from "../io/net/system-roots.ts";
import type { Environment } from "../io/process/environment.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";

/** Problems listed in a finding, at most. */
const MAX_LISTED = 5;

/**
 * Certificate authorities, found and parsed as at a pull (spec 4).
 *
 * @param environment of containerd
 * @param configured files of network.caFiles: with them, a system without authorities may be intended
 */
export async function checkAuthorities(environment: Environment, configured: readonly PemFile[]): Promise<CheckResult> {
  const name = "certificates";
  const advice = "install the package ca-certificates, or list files in network.caFiles";
  const { files, problems: unread } = readSystemRoots(environment);
  const [system, own] = [await examine(files), await examine(configured)];
  const problems = [...unread, ...system.problems, ...own.problems];
  const further = problems.length > MAX_LISTED ? [`${problems.length - MAX_LISTED} more`] : [];
  const details = [...problems.slice(0, MAX_LISTED), ...further].map((one) => `; ${one}`).join("");
  const paths = configured.map(({ path }) => path).join(", ");
  if (system.readable.length + own.readable.length === 0)
    return problem(name, `there is no usable certificate authority, so every HTTPS request fails${details}`, advice);
  if (system.readable.length === 0)
    return warning(
      name,
      `the system has no usable certificate authority; only ${own.readable.length} of ${paths} are trusted${details}`,
      "if that is not intended, install the package ca-certificates",
    );
  const ofSystem = `${system.readable.length} certificate authorities of the system`;
  const found = paths === "" ? ofSystem : `${ofSystem} and ${own.readable.length} of ${paths}`;
  return problems.length === 0
    ? ok(name, `${found} are trusted`)
    : warning(name, `${found} are trusted${details}`, "correct or remove those files; the other certificates are used");
}
