import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";

/** What a running CRI-O was started with, instead of its defaults. */
export interface CrioOptions {
  /** `process 123` */
  readonly process: string;
  /** Absolute paths, as it sees them. */
  readonly config?: string;
  readonly configDir?: string;
  readonly signaturePolicy?: string;
  readonly signaturePolicyDir?: string;
}

/** Options of crio(8), and the variables that count where they are not given. */
const FLAGS = {
  config: { names: "config|c", variable: "CONTAINER_CONFIG" },
  configDir: { names: "config-dir|d", variable: "CONTAINER_CONFIG_DIR" },
  signaturePolicy: { names: "signature-policy", variable: "CONTAINER_SIGNATURE_POLICY" },
  signaturePolicyDir: { names: "signature-policy-dir", variable: "CONTAINER_SIGNATURE_POLICY_DIR" },
} as const;

/** Each process of this node that is called crio. @param proc `/proc` */
export function crioProcesses(proc = "/proc"): readonly CrioOptions[] {
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name) && textOf(`${proc}/${name}/comm`) === "crio\n");
  return pids.map((pid) => optionsOf(join(proc, pid), `process ${pid}`));
}

function optionsOf(folder: string, named: string): CrioOptions {
  const args = textOf(join(folder, "cmdline")).split("\0");
  // Only root and its own user may read it.
  const variables = textOf(join(folder, "environ")).split("\0");
  const found = Object.entries(FLAGS).flatMap(([key, { names, variable }]) => {
    const value = lastValue(args, names) ?? variables.find((one) => one.startsWith(`${variable}=`))?.split("=")[1];
    return value === undefined || value === "" ? [] : [[key, resolve(folderOf(folder), value)] as const];
  });
  return { process: named, ...Object.fromEntries(found) };
}

/** With one dash or two, the value behind "=" or in the next argument; the last one counts. */
function lastValue(args: readonly string[], names: string): string | undefined {
  const flag = new RegExp(`^--?(?:${names})(?:=(.*))?$`, "s");
  const at = args.findLastIndex((arg) => flag.test(arg));
  return at === -1 ? undefined : (flag.exec(args[at] ?? "")?.[1] ?? args[at + 1]);
}

function folderOf(folder: string): string {
  try {
    return readlinkSync(join(folder, "cwd"));
  } catch {
    return "/"; // where systemd starts it
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process has ended, or is another user's
  }
}
