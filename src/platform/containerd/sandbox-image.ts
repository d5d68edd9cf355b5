import { field, isJsonObject } from "../../core/encoding/json.ts";
import { parseToml } from "../../core/encoding/toml.ts";
import { type ImageReference, normaliseReference } from "../../core/oci/reference.ts";
import { Rejection } from "../../core/rejection.ts";
import { readPossiblyUntrustedFile } from "../../io/fs/local-file.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "./inspect.ts";

const DEFAULT_SANDBOX = "registry.k8s.io/pause:3.10";

/**
 * The sandbox image in containerd's configuration of version 3 or 2.
 *
 * @param text of config.toml; imports are not read
 * @returns undefined if it names none or cannot be parsed
 */
export function sandboxImageIn(text: string): string | undefined {
  const plugins = member(parseToml(text), "plugins");
  const pinned = member(member(plugins, "io.containerd.cri.v1.images"), "pinned_images");
  const image = member(pinned, "sandbox") ?? member(member(plugins, "io.containerd.grpc.v1.cri"), "sandbox_image");
  return typeof image === "string" && image !== "" ? image : undefined;
}

/** The sandbox image of a node, and where that comes from. */
export interface SandboxImage {
  readonly name: ImageReference;
  /** For people. */
  readonly from: string;
}

/** The sandbox image by containerd's configuration at this path, else containerd's default. */
export function sandboxImageOf(path: string): SandboxImage {
  const text = readWhole(path);
  const image = text === undefined ? undefined : sandboxImageIn(text);
  const name = image === undefined ? undefined : unlessRejected(() => normaliseReference(image));
  if (name !== undefined) return { name, from: `named by ${path}` };
  const found = text === undefined ? "cannot be read" : `names ${image === undefined ? "none" : `"${image}"`}`;
  return { name: usualSandbox(), from: `containerd's default, as ${path} ${found}` };
}

/**
 * The sandbox image of a running containerd.
 *
 * @returns undefined if it does not serve CRI, or this is not known
 */
export function sandboxOf(containerd: Containerd): ImageReference | undefined {
  if (containerd.plugins?.get(CRI_IMAGES_PLUGIN) !== "ok") return undefined;
  const image = member(settingsOf(containerd, CRI_IMAGES_PLUGIN)["pinned_images"], "sandbox");
  return (typeof image === "string" ? unlessRejected(() => normaliseReference(image)) : undefined) ?? usualSandbox();
}

/** containerd's default sandbox image. */
export function usualSandbox(): ImageReference {
  return normaliseReference(DEFAULT_SANDBOX);
}

/** An unreadable file counts as a missing one: the content only makes a warning more exact. */
function readWhole(path: string): string | undefined {
  const file = { path, code: "config.invalid", what: "containerd's configuration" } as const;
  return unlessRejected(() => readPossiblyUntrustedFile(file, () => {}));
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
