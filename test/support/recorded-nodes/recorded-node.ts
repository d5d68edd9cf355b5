import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A node of a distribution as its published templates make it, written by hand: none was copied from a real node. */
export interface RecordedNode {
  /** The distribution that decides, as `--distribution` names it. */
  readonly name: string;
  /** What differs from others of that name. */
  readonly variant?: string;
  /** Names of all that it is recognised as, the deciding one first. */
  readonly recognised: readonly string[];
  /** Files, by absolute path. A path that ends with `/` is a folder. */
  readonly files: Readonly<Record<string, string>>;
  readonly processes: readonly string[];
  /** Of containerd: its main configuration, among the files. */
  readonly configPath: string;
  /** The version of containerd that is there. */
  readonly version: string;
  /** Version of the configuration that containerd 2.1 cannot read. */
  readonly isTooNew?: true;
  /** What of CRI's effective settings decides: the tests with a real containerd compare it. */
  readonly images: Readonly<Record<string, unknown>>;
  readonly isOpen: boolean;
}

/** os-release of an ordinary host. */
export const UBUNTU = { "/etc/os-release": 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\n' };

/** Writes its files below a folder. Absolute imports are moved there too, as containerd reads them. */
export function writeNode({ files }: RecordedNode, root: string): void {
  for (const [path, text] of Object.entries(files)) {
    const folder = path.endsWith("/") ? path : dirname(path);
    mkdirSync(join(root, folder), { recursive: true });
    if (!path.endsWith("/")) writeFileSync(join(root, path), moved(text, root));
  }
}

/** @param text a configuration */
export function moved(text: string, root: string): string {
  return text.replace(/^imports = .*$/m, (line) => line.replaceAll('"/', `"${root}/`));
}

/** `kubeadm (on Flatcar)`. */
export function titleOf({ name, variant }: RecordedNode): string {
  return variant === undefined ? name : `${name} (${variant})`;
}
