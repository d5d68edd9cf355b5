import { reject } from "../../../core/rejection.ts";
import { CONTAINERS_FOLDER, isContainersEnabled } from "../../../platform/containers/containers-files.ts";
import { absoluteFolder } from "../terminal/link-report.ts";

/** Options of enable, disable and doctor that only one of the two gates has. */
interface GateOptions {
  readonly containers: boolean;
  readonly "containers-dir": string;
  readonly address?: string | undefined;
  readonly "containerd-config"?: string | undefined;
  readonly "bin-dir"?: string | undefined;
}

/**
 * Refuses options that would be ignored.
 *
 * @param isDoctor it checks podman's gate without --containers as well, once that is enabled
 * @returns the folder like /etc/containers
 * @throws Rejection input.malformed
 */
export function containersFolder(options: GateOptions, isDoctor = false): string {
  const folder = absoluteFolder(options["containers-dir"], "--containers-dir");
  if (options.containers) {
    for (const name of ["bin-dir", "address", "containerd-config"] as const) {
      if (options[name] !== undefined)
        reject("input.malformed", `--${name} is about containerd, and --containers about podman and CRI-O: remove one`);
    }
  } else if (folder !== CONTAINERS_FOLDER && !(isDoctor && isContainersEnabled(folder))) {
    reject("input.malformed", "--containers-dir is about podman and CRI-O: add --containers, or remove it");
  }
  return folder;
}
