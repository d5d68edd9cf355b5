import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { readFlags, readSubject } from "../../../../src/frontends/containerd/containerd-input.ts";
import { codeOf } from "../../../support/rejection.ts";

const DIGEST = `sha256:${"a1".repeat(32)}`;
const OTHER = `sha256:${"b2".repeat(32)}`;
const DESCRIPTOR_TYPE = "application/vnd.oci.descriptor.v1+json";
const WRAPPER_TYPE = "application/vnd.containerd.image-verifier.input.v1+json";
const ARGS = ["-name", "registry.example/app:v1", "-digest", DIGEST, "-stdin-media-type", DESCRIPTOR_TYPE];
const DESCRIPTOR = { mediaType: "application/octet-stream", digest: DIGEST, size: 428 };

const read = (args: readonly string[], stdin: unknown) => readSubject(readFlags(args), toUtf8(JSON.stringify(stdin)));

// The forms of arguments and input are tested through the binary; here is what they are read as.
describe("containerd's question", () => {
  const subject = {
    name: { host: "registry.example", path: "app", tag: "v1" },
    digest: DIGEST,
    tag: "v1",
    mediaType: "application/octet-stream",
    size: 428,
  };

  it("is read into a subject", () => {
    expect(read(ARGS, DESCRIPTOR)).toEqual(subject);
    expect(read([...ARGS.slice(0, 5), WRAPPER_TYPE], { descriptor: DESCRIPTOR, operation: "pull" })).toEqual(subject);
    expect(read([], { reference: "registry.example/app:v1", descriptor: DESCRIPTOR })).toEqual(subject);
  });

  it("does not have what the descriptor does not say", () => {
    expect(Object.keys(read(ARGS, { digest: DIGEST }))).toEqual(["name", "digest", "tag"]);
    expect(Object.keys(read(ARGS, { digest: DIGEST, mediaType: "" }))).toEqual(["name", "digest", "tag"]);
    expect(read(ARGS, { digest: DIGEST, size: 0 })).toHaveProperty("size", 0);
  });

  it("found its digest by the tag, unless the name asks for a digest", () => {
    const asked = (name: string) => read(["-name", name, ...ARGS.slice(2)], DESCRIPTOR).tag;
    expect(asked("registry.example/app:v2")).toBe("v2");
    expect(asked(`registry.example/app@${DIGEST}`)).toBeUndefined();
    expect(asked(`registry.example/app:v2@${DIGEST}`)).toBeUndefined();
    expect(asked("registry.example/app")).toBeUndefined();
  });

  it("takes nothing from the wrapper but the descriptor", () => {
    const wrapper = {
      descriptor: DESCRIPTOR,
      reference: "evil.example/app",
      name: "x",
      digest: OTHER,
      annotations: { digest: OTHER },
    };
    expect(read([...ARGS.slice(0, 5), WRAPPER_TYPE], wrapper)).toEqual(subject);
  });

  it("does not have a flag's value taken for another flag by inheritance", () => {
    expect(codeOf(() => read(["-constructor", "x", "-toString=y", ...ARGS], DESCRIPTOR))).toBe("none");
    expect(codeOf(() => read(ARGS, JSON.parse(`{"__proto__":{"digest":"${DIGEST}"}}`)))).toBe("input.malformed");
  });

  it("must be about one digest", () => {
    expect(codeOf(() => read(ARGS, { ...DESCRIPTOR, digest: OTHER }))).toBe("input.digest_mismatch");
    const named = ["-name", `registry.example/app@${OTHER}`, ...ARGS.slice(2)];
    expect(codeOf(() => read(named, DESCRIPTOR))).toBe("input.digest_mismatch");
  });
});
