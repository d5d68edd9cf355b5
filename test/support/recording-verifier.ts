import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Containerd, installVerifier } from "./containerd.ts";

/** One run of a recording verifier. */
export interface Call {
  readonly argv: readonly string[];
  readonly stdin: string;
  readonly cwd: string;
}

export interface RecordingVerifier {
  calls(): readonly Call[];
}

/** Installs a shell script as the verifier; it records its calls and then does what `body` says. */
export function installRecorder(containerd: Containerd, body: string): RecordingVerifier {
  const home = join(containerd.directory, `script-${scripts++}`);
  mkdirSync(home);
  const script = join(home, "script");
  const record = ["#!/bin/sh", `call=$(mktemp -d '${home}/call-XXXXXX')`, 'pwd >"$call/cwd"', 'cat >"$call/stdin"'];
  const argv = 'printf "%s\\n" "$0" "$@" >"$call/argv"';
  writeFileSync(script, `${[...record, argv, body].join("\n")}\n`, { mode: 0o755 });
  installVerifier(containerd.binDir, script, "verifier");
  return {
    calls: () =>
      readdirSync(home)
        .filter((name) => name.startsWith("call-"))
        .map((name) => {
          const read = (file: string): string => readFileSync(join(home, name, file), "utf8");
          return { argv: read("argv").trimEnd().split("\n"), stdin: read("stdin"), cwd: read("cwd").trimEnd() };
        }),
  };
}
let scripts = 0;

/** The value of a call's flag, such as `-name`. */
export function flagOf({ argv }: Call, flag: string): string | undefined {
  return argv[argv.indexOf(flag) + 1];
}
