import { randomBytes } from "node:crypto";
import type { Containerd } from "../node/containerd.ts";
import { CRI_IMAGES_PLUGIN } from "../node/containerd.ts";
import { pullByCri } from "../node/cri.ts";
import { startProbeRegistry } from "../node/probe-registry.ts";
import { runProgram } from "../node/program.ts";
import { PROBE_PATH } from "../policy/probe.ts";
import { type Finding, ok, problem, warning } from "./check.ts";

/** Milliseconds that one pull may take: a verifier's time, and containerd's own. */
const PATIENCE = 20_000;
/** Milliseconds in which a decision must be in the log. */
const LOGGED_WITHIN = 2_000;
const POLL = 100;

export interface ProbeQuestion {
  readonly containerd: Containerd;
  /** This program's, as its answer gives it. */
  readonly build: string;
  /** Whether the decision log tells of a digest; undefined where there is no file that could. */
  readonly isLogged?: (digest: string) => boolean;
}

/**
 * Has containerd pull a name that this program always refuses, by each way in which it pulls. Nobody can have
 * the image: what is served is its digest, and who asks for more has been let through.
 */
export async function probe({ containerd, build, isLogged }: ProbeQuestion): Promise<readonly Finding[]> {
  const { address, ctr, plugins } = containerd;
  const findings: Finding[] = [];
  if (ctr === undefined)
    findings.push(
      warning("probe", "ctr was not found, so no pull could be tried", "install it, it comes with containerd"),
    );
  else {
    const pull = async (name: string) => {
      const args = ["--address", address, "--namespace", "default", "images", "pull", "--plain-http", name];
      const { code, stderr, stdout } = await runProgram(ctr, args, PATIENCE);
      return code === 0 ? undefined : `${stderr} ${stdout}`;
    };
    findings.push(...(await probeBy("ctr", pull, build, isLogged)));
  }
  if (plugins?.get(CRI_IMAGES_PLUGIN) === "ok") {
    const pull = async (name: string) => {
      try {
        await pullByCri(address, name, PATIENCE);
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    };
    findings.push(...(await probeBy("CRI (kubelet, crictl)", pull, build, isLogged)));
  }
  return findings;
}

/** @param pull answers why it failed; undefined where it did not */
async function probeBy(
  way: string,
  pull: (name: string) => Promise<string | undefined>,
  build: string,
  isLogged: ((digest: string) => boolean) | undefined,
): Promise<readonly Finding[]> {
  const digest = `sha256:${randomBytes(32).toString("hex")}`;
  const registry = await startProbeRegistry(digest);
  try {
    const refused = await pull(`${registry.host}/${PROBE_PATH}/${randomBytes(8).toString("hex")}:probe`);
    const outcome = judge(way, { refused, wanted: registry.wanted(), digest, build });
    if (outcome.level !== "ok" || isLogged === undefined) return [outcome];
    return [outcome, await findLogged(way, digest, isLogged)];
  } finally {
    await registry.stop();
  }
}

function judge(
  way: string,
  { refused, wanted, digest, build }: { refused: string | undefined; wanted: number; digest: string; build: string },
): Finding {
  const name = "probe";
  if (wanted > 0 || refused === undefined) {
    return problem(
      name,
      `a pull by ${way} of a name that this program always refuses was let through`,
      "pulls are NOT verified: see the problems above",
    );
  }
  const ours = refused.includes(`deny policy.probe: atcr-verify ${build} was asked about ${digest}`);
  if (ours) return ok(name, `a pull by ${way} was refused by this program, as it must be`);
  const said = refused.trim().slice(-300);
  if (refused.includes("policy.probe"))
    return problem(
      name,
      `a pull by ${way} was refused by another build of this program: ${said}`,
      "run: atcr-verify enable",
    );
  return problem(
    name,
    `a pull by ${way} failed, but not because this program refused it: ${said}`,
    "see what it says: pulls fail, or another verifier refuses first",
  );
}

async function findLogged(way: string, digest: string, isLogged: (digest: string) => boolean): Promise<Finding> {
  for (let waited = 0; waited <= LOGGED_WITHIN; waited += POLL) {
    if (isLogged(digest)) return ok("probe-log", `the decision log tells of that pull by ${way}`);
    await new Promise((done) => setTimeout(done, POLL));
  }
  return problem(
    "probe-log",
    `the decision log does not tell of that pull by ${way}`,
    "see that containerd's environment names the same configuration, and that the log can be written",
  );
}
