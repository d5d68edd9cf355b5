import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isOnReadOnlyMount, mountOf, parseMounts, readMounts } from "../../../../src/io/fs/mounts.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

/** Of a pod: a ConfigMap, a Secret with a subPath of another volume in it, and a mount that hides an older one. */
const POD = String.raw`600 500 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a
601 600 0:51 / /proc rw,nosuid - proc proc rw
602 600 254:1 /pods/u/volumes/kubernetes.io~configmap/c /etc/atcr-verify ro,relatime - ext4 /dev/vda1 rw,discard
603 600 0:60 / /tokens ro,relatime - tmpfs tmpfs rw,size=4k
604 603 254:1 /pods/u/data/one.yaml /tokens/one.yaml rw,relatime - ext4 /dev/vda1 rw
605 600 0:61 / /with\040space ro,relatime shared:3 master:4 - tmpfs tmpfs rw
606 600 0:62 / /data rw,relatime - tmpfs tmpfs ro,size=4k
607 600 0:63 / /hidden/deep ro,relatime - tmpfs tmpfs rw
608 600 0:64 / /hidden rw,relatime - tmpfs tmpfs rw
609 600 0:65 / /twice rw,relatime - tmpfs tmpfs rw
610 609 0:66 / /twice ro,relatime - tmpfs tmpfs rw
a line of another form
`;
const mounts = parseMounts(POD);
const readOnly = (path: string): boolean | undefined => mountOf(path, mounts)?.isReadOnly;

describe("mountOf", () => {
  it.each([
    ["/etc/atcr-verify", "602"],
    ["/etc/atcr-verify/..2026_11_30/policy.yaml", "602"],
    ["/etc/atcr-verify.d", "600"],
    ["/etc", "600"],
    ["/", "600"],
    ["/tokens/two.yaml", "603"],
    ["/tokens/one.yaml", "604"],
    ["/with space/a", "605"],
    ["/twice/a", "610"],
  ])("finds that of %s", (path, id) => {
    expect(mountOf(path, mounts)?.id).toBe(id);
  });

  it("takes the one that hides another, whose mount point is longer", () => {
    expect(mountOf("/hidden/deep/a", mounts)?.id).toBe("608");
    const inside = parseMounts(POD.replace("607 600", "607 608"));
    expect(mountOf("/hidden/deep/a", inside)?.id).toBe("607");
  });

  it("knows a read-only mount, and a read-only file system", () => {
    const paths = ["/etc/atcr-verify/a", "/tokens/a", "/data/a", "/tokens/one.yaml", "/a"];
    expect(paths.map(readOnly)).toEqual([true, true, true, false, false]);
  });

  it("tells nothing without the root's mount", () => {
    expect(mountOf("/etc/atcr-verify", parseMounts(POD.split("\n").slice(1).join("\n")))).toBeUndefined();
    expect(mountOf("/a", [])).toBeUndefined();
    expect(mountOf("/a", parseMounts("1 1 0:1 / / ro - tmpfs tmpfs ro\n"))).toBeUndefined();
  });
});

describe("this process's mounts", () => {
  it("have one for every path", () => {
    const folder = makeTemporaryDirectory("mounts");
    mkdirSync(join(folder, "a"));
    expect(mountOf(join(folder, "a"), readMounts())).toMatchObject({ isReadOnly: false });
    expect(isOnReadOnlyMount(join(folder, "a"))).toBe(false);
    rmSync(folder, { recursive: true });
  });
});
