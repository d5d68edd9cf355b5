import { field, isJsonObject } from "../../core/encoding/json.ts";
import { parseToml } from "../../core/encoding/toml.ts";
import { type ImageReference, normaliseReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import { readDistrustedFile } from "../../io/fs/local-file.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "./inspect.ts";

const DEFAULT_SANDBOX = "registry.k8s.io/pause:3.10";

/**
 * The sandbox image that containerd's configuration names, of version 3 or 2.
 *
 * @param text of config.toml; files that it imports are not looked at
 * @returns undefined where it names none or cannot be read
 */
export function sandboxImageIn(text: string): string | undefined {
  const plugins = member(parseToml(text), "plugins");
  const pinned = member(member(plugins, "io.containerd.cri.v1.images"), "pinned_images");
  const image = member(pinned, "sandbox") ?? member(member(plugins, "io.containerd.grpc.v1.cri"), "sandbox_image");
  return typeof image === "string" && image !== "" ? image : undefined;
}

/** The sandbox image of a node, and how that is known. */
export interface SandboxImage {
  readonly name: ImageReference;
  /** For people. */
  readonly from: string;
}

/** By containerd's configuration at this path. */
export function sandboxImageOf(path: string): SandboxImage {
  const text = readWhole(path);
  const image = text === undefined ? undefined : sandboxImageIn(text);
  const name = image === undefined ? undefined : unlessRejected(() => normaliseReference(image));
  if (name !== undefined) return { name, from: `named by ${path}` };
  const found = text === undefined ? "cannot be read" : `names ${image === undefined ? "none" : `"${image}"`}`;
  return { name: usualSandbox(), from: `containerd's default, as ${path} ${found}` };
}

/**
 * The sandbox image of a containerd that runs.
 *
 * @returns undefined where it runs no pods, or that cannot be told
 */
export function sandboxOf(containerd: Containerd): ImageReference | undefined {
  if (containerd.plugins?.get(CRI_IMAGES_PLUGIN) !== "ok") return undefined;
  const image = member(settingsOf(containerd, CRI_IMAGES_PLUGIN)["pinned_images"], "sandbox");
  return (typeof image === "string" ? unlessRejected(() => normaliseReference(image)) : undefined) ?? usualSandbox();
}

/** What containerd starts pods with unless its configuration says otherwise. */
export function usualSandbox(): ImageReference {
  return normaliseReference(DEFAULT_SANDBOX);
}

/** A file that cannot be read is like one that is not there: this only makes a warning more exact. */
function readWhole(path: string): string | undefined {
  const file = { path, code: "config.invalid", what: "containerd's configuration" } as const;
  return unlessRejected(() => readDistrustedFile(file, () => {}));
}

function unlessRejected<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

function member(value: unknown, key: string): unknown {
  return isJsonObject(value) ? field(value, key) : undefined;
}
