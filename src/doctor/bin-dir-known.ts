import { type Containerd, verifierSettings } from "../platform/containerd/inspect.ts";

/** Only of a containerd whose configuration was read is it known where it looks for verifiers. */
export function isBinDirKnown(containerd: Containerd): boolean {
  const { version, daemon, program, config, isForbidden, isListening, denied, isConfigNamed } = containerd;
  if (isForbidden === true) return false;
  const { binDir } = verifierSettings(containerd);
  // It depends on the folder that containerd is started in.
  if (binDir !== "" && !binDir.startsWith("/")) return false;
  if (config === undefined && (isListening || denied.length > 0 || isConfigNamed === true)) return false;
  if (version === undefined && daemon === undefined) return config !== undefined || program === undefined;
  return daemon !== undefined && config !== undefined;
}

/** As a sentence, where it is not known. */
export function binDirUnknown({ address, version, program }: Containerd): string {
  const there = program === undefined ? "containerd may be on this node" : "containerd is installed";
  const who = version === undefined ? there : `a containerd answers at ${address}`;
  return `${who}, and where it looks for verifiers could not be determined`;
}
