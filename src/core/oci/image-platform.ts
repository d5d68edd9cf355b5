import type { JsonObject } from "../encoding/json.ts";
import { reject } from "../rejection.ts";
import { optionalText } from "./descriptor.ts";

/** `os/arch` or `os/arch/variant`, as Go names them. */
const PLATFORM = /^[a-z0-9]{1,32}\/[a-z0-9_]{1,32}(?:\/[a-z0-9.]{1,32})?$/;

/** Other names of architectures (containerd/platforms, database.go). */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["i386", "386"],
  ["aarch64", "arm64"],
  ["armhf", "arm/v7"],
  ["armel", "arm/v6"],
]);
/** Variants that every processor of the architecture has, so that nobody writes them; for arm the usual one. */
const USUAL_VARIANT: ReadonlyMap<string, string> = new Map([
  ["amd64", "v1"],
  ["arm64", "v8"],
]);

/**
 * Reads the option `--platform` (OCI image spec, image-index.md): `linux/arm64/v8` is `linux/arm64`, and `linux/arm` is
 * `linux/arm/v7`, as in containerd.
 *
 * @throws Rejection input.malformed
 */
export function parsePlatform(text: string): string {
  const [os = "", architecture = "", variant] = text.toLowerCase().split("/");
  const platform = canonical(os, architecture, variant);
  const parts = text.split("/");
  if (!PLATFORM.test(platform) || parts.length > 3 || parts.includes("")) {
    reject("input.malformed", `--platform is "${text}", expected OS/ARCHITECTURE such as linux/amd64 or linux/arm64`);
  }
  return platform;
}

/**
 * The platform of an index's entry, in the same form.
 *
 * @param platform attacker-controlled
 * @returns undefined where it names none, or one with other characters
 */
export function platformOf(platform: JsonObject): string | undefined {
  const [os, architecture] = [optionalText(platform, "os"), optionalText(platform, "architecture")];
  if (os === undefined || architecture === undefined) return undefined;
  const text = canonical(os, architecture, optionalText(platform, "variant"));
  return PLATFORM.test(text) ? text : undefined;
}

function canonical(os: string, architecture: string, variant: string | undefined): string {
  const [name = "", ownVariant] = (ARCHITECTURES.get(architecture) ?? architecture).split("/");
  const given = variant === undefined || variant === "" ? (ownVariant ?? (name === "arm" ? "v7" : undefined)) : variant;
  const shown = given === USUAL_VARIANT.get(name) ? undefined : given;
  return [os, name, ...(shown === undefined ? [] : [shown])].join("/");
}
