import { field, type JsonObject } from "../encoding/json.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { reject } from "../rejection.ts";
import type { Subject } from "./evidence.ts";

/**
 * The image named by a name and a descriptor, as containerd passes them.
 *
 * @param text attacker-controlled name
 * @param descriptor attacker-controlled in part
 * @throws Rejection input.*, image.malformed_reference
 */
export function subjectOf(text: string, flag: Digest | undefined, descriptor: JsonObject): Subject {
  const found = field(descriptor, "digest");
  if (typeof found !== "string") reject("input.malformed", "the descriptor on stdin has no digest");
  const digest = parseDigest(found, "the digest on stdin");
  if (flag !== undefined && flag !== digest) {
    reject("input.digest_mismatch", `-digest is ${flag}, the digest on stdin is ${digest}`);
  }
  const name = parseReference(text);
  if (name.digest !== undefined && name.digest !== digest) {
    reject("input.digest_mismatch", `the digest in the name is ${name.digest}, in the descriptor ${digest}`);
  }
  const mediaType = field(descriptor, "mediaType");
  if (mediaType !== undefined && typeof mediaType !== "string") {
    reject("input.malformed", "mediaType on stdin is not a string");
  }
  const size = field(descriptor, "size");
  if (size !== undefined && (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)) {
    reject("input.malformed", "size on stdin is not a number of bytes");
  }
  // With a digest in the name, the tag was not resolved.
  const tag = name.digest === undefined ? name.tag : undefined;
  return {
    name,
    digest,
    ...(tag !== undefined && { tag }),
    ...(mediaType && { mediaType }),
    ...(size !== undefined && { size }),
  };
}
