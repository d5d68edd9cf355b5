import { type Containerd, verifierSettings } from "../platform/containerd/inspect.ts";

/** Whether it is known where containerd looks for verifiers: its configuration was read, or it is not installed. */
export function isBinDirKnown(containerd: Containerd): boolean {
  const { version, daemon, program, config, isForbidden, isListening, denied, isConfigNamed } = containerd;
  if (isForbidden === true) return false;
  const { binDir } = verifierSettings(containerd);
  // A relative path depends on the folder that containerd is started in.
  if (binDir !== "" && !binDir.startsWith("/")) return false;
  if (config === undefined && (isListening || denied.length > 0 || isConfigNamed === true)) return false;
  if (version === undefined && daemon === undefined) return config !== undefined || program === undefined;
  return daemon !== undefined && config !== undefined;
}

/** Says, as a sentence, that it is not known. */
export function binDirUnknown({ address, version, program }: Containerd): string {
  const there = program === undefined ? "containerd may be on this node" : "containerd is installed";
  const who = version === undefined ? there : `containerd answers at ${address}`;
  return `${who}, but its bin_dir could not be determined`;
}
