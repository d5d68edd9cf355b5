import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DEFAULT_BIN_DIR } from "../../src/platform/containerd/inspect.ts";
import { ask } from "../support/binary.ts";
import { keyEnvironment } from "../support/cache-key.ts";
import { startContainerd } from "../support/containerd.ts";
import { ANSWERS, type Answers } from "../support/containerd-answers.ts";
import { missingTool } from "../support/debian-tools.ts";
import type { Finding } from "../support/doctor.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";

// A real containerd is started with each configuration for which `enable` and `doctor` answer differently. What they say
// is compared with what its pulls do: both pulls of the doctor's probe, by the transfer service and by CRI.

const testable = requirement(
  "what enable and doctor say of a real containerd",
  ...["containerd", "ctr"].map(missingTool),
  missingBinary(),
  missingRoot("an ordinary user's containerd has no CRI"),
);
const folder = makeTemporaryDirectory("answers");
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const CONFIG = join(folder, "config.yaml");

/** Findings that depend on containerd's configuration. The others, and those of its default folder, are of this machine. */
const OF_CONTAINERD = new Set([
  "containerd",
  "containerd-config",
  "containerd-unknown",
  "plugin",
  "config",
  "bin-dir",
  "link",
  "entries",
  "cri",
  "cri-unknown",
  "timeout",
  "registry-config",
  "probe",
  "probe-log",
]);

/** What `enable` promises of each pull. */
const PROMISES: readonly (readonly [RegExp, string])[] = [
  [/containerd runs it at each pull from now on, but at those of kubelet/, "not kubelet's"],
  [/containerd runs it at each pull from now on\./, "each pull"],
  [/once the problems above are corrected/, "once corrected"],
  [/whether containerd runs it at each pull is not known/, "not known"],
  [/^nothing was changed/, "nothing changed"],
];

async function answersOf({ containerd: options, afterwards, enabledWith }: Answers) {
  const env = { ATCR_VERIFY_CONFIG: CONFIG, ...keyEnvironment(folder) };
  const containerd = await startContainerd({ ...options, env });
  const run = async (...args: readonly string[]) => {
    const answer = await ask([...args, "--address", containerd.socket, "--output", "json"], {
      env: { PATH: "/usr/bin:/bin" },
      killAfter: 60_000,
    });
    return { ...answer, said: answer.stdout === "" ? {} : JSON.parse(answer.stdout) };
  };
  try {
    writeFileSync(join(folder, "policy.yaml"), POLICY);
    const own = { stateDir: join(folder, "state"), cacheDir: join(folder, "cache"), decisionLog: join(folder, "log") };
    const settings = { ...own, trustPolicyPath: join(folder, "policy.yaml"), registryConfigPath: containerd.hosts };
    writeFileSync(CONFIG, JSON.stringify(settings));
    afterwards?.(containerd);
    const enabled = await run("enable", ...(enabledWith?.(containerd) ?? []));
    const doctor = await run("doctor", "--offline", "--probe");
    const findings = (doctor.said.findings as readonly Finding[]).filter(
      ({ name, level, found }) =>
        OF_CONTAINERD.has(name) && !(found.includes(DEFAULT_BIN_DIR) && (name !== "bin-dir" || level === "problem")),
    );
    const of = (name: string) => findings.filter((finding) => finding.name === name).map(({ level }) => level);
    const summary = `${enabled.said.summary}`;
    return {
      enable: [enabled.code, PROMISES.find(([words]) => words.test(summary))?.[1] ?? enabled.said.code ?? summary],
      doctor: [
        doctor.code,
        ...findings.filter(({ level }) => level !== "ok").map(({ level, name }) => `${level} ${name}`),
      ],
      probes: of("probe"),
    };
  } finally {
    await containerd.stop();
  }
}

const POLICY = `version: 1
trustedDIDs: ["did:web:a.example"]
policies:
  - {name: sandbox, scope: registry.k8s.io/pause, action: allow}
  - {name: a, scope: "a.example/**", action: enforce}
`;

describe.runIf(testable)("enable and doctor are right about a containerd with", () => {
  it.each(Object.entries(ANSWERS))("%s", async (_, row) => {
    const { enable, doctor, probes } = row;
    expect(await answersOf(row)).toEqual({ enable, doctor, probes });
  });
});
