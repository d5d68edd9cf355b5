import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildImage } from "../support/image.ts";
import { askResponder, missingPodman, PodmanBed, refusalIn, START } from "../support/podman.ts";
import { requirement } from "../support/requirement.ts";

// What the gate does not do, and what its parts do when one is broken: what docs/podman.md says.

const testable = requirement("the limits of podman's gate", ...missingPodman());
const USER = 1000;
const ACCEPT = JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] });
const EXAMPLE = new URL("../../config-examples/containers-policy.json", import.meta.url);
const REJECT = JSON.stringify({ default: [{ type: "reject" }] });
let bed: PodmanBed;

beforeEach(async () => {
  if (!testable) return;
  bed = await PodmanBed.start();
  await bed.startResponder();
});
afterEach(() => bed?.stop());

async function must(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await bed.run(program, args);
  expect(code, `${program} ${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
  return stdout;
}

const enable = () => must("atcr-verify", "enable", "--containers");

/** Has an ordinary user listen on a port. @returns why not */
async function bind(port: number): Promise<string> {
  const listen = `IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => ${port})`;
  const args = ["-MIO::Socket::INET", "-e", `print ${listen} ? "taken" : $!`];
  return (await bed.run("perl", args, { user: USER })).stdout;
}

/** `done`, or the refusal; what else skopeo says where the responder did not refuse. */
async function copy(from: string, to = "dir:/run/copy", user = 0): Promise<string> {
  const finished = await bed.run("skopeo", ["copy", from, to], { user });
  return finished.code === 0 ? "done" : (refusalIn(finished) ?? finished.stderr);
}

describe.runIf(testable)("a responder that is down", () => {
  it("refuses pulls by podman and skopeo; an image that is here runs", async () => {
    await enable();
    const name = await bed.pushSigned("down");
    await must("podman", "pull", name);
    await bed.stopResponder();
    expect(await copy(`docker://${name}`)).toContain("connection refused");
    const { code, stderr } = await bed.run("podman", ["pull", name]);
    expect(code).not.toBe(0);
    expect(stderr.match(/connection refused/g)?.length).toBe(4); // three of them in warnings
    await must("podman", "create", name, "true");
    await bed.startResponder();
    expect(await copy(`docker://${name}`)).toBe("done");
  });

  it("does not start with the key of another machine, and the doctor names it", async () => {
    await enable();
    const name = await bed.pushSigned("moved");
    await bed.stopResponder();
    bed.write("/etc/machine-id", `${"2".repeat(32)}\n`);
    await expect(bed.startResponder()).rejects.toThrow("was made on another machine");
    const doctor = await bed.run("atcr-verify", ["doctor", "--containers"]);
    expect(doctor.stdout).toMatch(/problem +containers-key: /);
    await must("atcr-verify", "lookaside", "--new-key");
    await bed.startResponder();
    expect(await copy(`docker://${name}`)).toBe("done");
  });

  it("has the signatures of its former key refused", async () => {
    await enable();
    const name = await bed.pushSigned("rekeyed");
    const old = readFileSync(`${bed.keyFile}.pub`, "utf8");
    await bed.stopResponder();
    await must("atcr-verify", "lookaside", "--new-key");
    await bed.startResponder();
    writeFileSync(`${bed.folder}/old.pub`, old);
    expect(await copy(`docker://${name}`)).toBe("done");
    const policy = bed.read("/etc/containers/policy.json");
    bed.write("/etc/containers/policy.json", policy.replace(`${bed.keyFile}.pub`, `${bed.folder}/old.pub`));
    expect(await copy(`docker://${name}`)).toContain("Source image rejected: ");
  });
});

describe.runIf(testable)("other transports", () => {
  it("pass by the default of policy.json, and are not asked about", async () => {
    await enable();
    await must("skopeo", "inspect", `docker://${bed.push("unsigned", buildImage("unsigned"))}`); // only looks
    const name = await bed.pushSigned("transported");
    expect(await copy(`docker://${name}`, "dir:/run/a")).toBe("done");
    expect(await copy(`docker://${name}`, "oci:/run/b")).toContain(
      "Pushing signatures for OCI images is not supported",
    );
    await must("skopeo", "copy", "--remove-signatures", `docker://${name}`, "oci:/run/b");
    await must("skopeo", "copy", "--remove-signatures", `docker://${name}`, "docker-archive:/run/c.tar:x:1");
    await bed.stopResponder();
    await must("podman", "pull", "dir:/run/a");
    await must("podman", "pull", "oci:/run/b");
    await must("podman", "load", "--input", "/run/c.tar");
  });

  it("are rejected where the default rejects, and pass where the example of a strict policy.json names them", async () => {
    bed.write("/etc/containers/policy.json", REJECT);
    await enable();
    const name = await bed.pushSigned("strict");
    await must("skopeo", "copy", "--remove-signatures", `docker://${name}`, "docker-archive:/run/c.tar:x:1");
    const { code, stderr } = await bed.run("podman", ["load", "--input", "/run/c.tar"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("rejected by policy");
    bed.write("/etc/containers/policy.json", readFileSync(EXAMPLE, "utf8"));
    expect(await copy(`docker://${name}`)).toContain("rejected by policy");
    await enable();
    expect(await copy(`docker://${name}`)).toBe("done");
    await must("podman", "load", "--input", "/run/c.tar");
    await must("podman", "create", "x:1", "true");
  });
});

describe.runIf(testable)("a mirror of registries.conf", () => {
  it("is refused, and is asked about once registries.d names it", async () => {
    const mirror = `[[registry.mirror]]\nlocation = "${bed.host}"\ninsecure = true\n`;
    bed.write("/etc/containers/registries.conf", `[[registry]]\nlocation = "registry.example"\n${mirror}`);
    bed.trust({ policies: [{ name: "alice", scope: "registry.example/alice/**", action: "enforce" }] });
    await enable();
    bed.push("mirrored", buildImage("mirrored"));
    const name = "docker://registry.example/alice/mirrored:v1";
    expect(await copy(name)).toContain("A signature was required, but no signature exists");
    const entry = `docker:\n  "${bed.host}":\n    lookaside: "${bed.url}/registry.example"\n`;
    bed.write("/etc/containers/registries.d/mirror.yaml", entry);
    expect(await copy(name)).toBe("403 deny signature.none");
  });
});

describe.runIf(testable)("a web page", () => {
  it("gets no answer, whatever name it found the port by", async () => {
    const image = buildImage("page");
    const name = await bed.pushSigned("page", image);
    const digest = image.manifest.digest.replace(":", "=");
    const url = `${bed.url}/${name.replace(/:v1$/, "")}@${digest}/signature-1`;
    const status = async (headers: Readonly<Record<string, string>>, method = "GET") =>
      (await askResponder(url, { method, headers })).status.slice(0, 3);
    expect(await status({})).toBe("200");
    expect(await status({ origin: "https://page.example" })).toBe("403");
    expect(await status({ "sec-fetch-site": "same-origin" })).toBe("403");
    expect(await status({ host: `page.example:${bed.port}` })).toBe("400");
    expect(await status({ host: `localhost:${bed.port}` })).toBe("400");
    expect(await status({}, "HEAD")).toBe("405");
    expect(await status({}, "POST")).toBe("405");
    expect(await status({}, "OPTIONS")).toBe("405");
  });
});

describe.runIf(testable)("an ordinary user", () => {
  it("is bound by the files of the system, and can neither read the key nor take the port", async () => {
    await enable();
    const name = await bed.pushSigned("user");
    const unsigned = bed.push("user-unsigned", buildImage("of a user"));
    expect(await copy(`docker://${name}`, "dir:/srv/user/a", USER)).toBe("done");
    expect(await copy(`docker://${unsigned}`, "dir:/srv/user/b", USER)).toBe("403 deny signature.none");
    expect((await bed.run("podman", ["pull", name], { user: USER })).code).toBe(0);
    expect(refusalIn(await bed.run("podman", ["pull", unsigned], { user: USER }))).toBe("403 deny signature.none");
    expect((await bed.run("cat", [bed.keyFile], { user: USER })).stderr).toContain("Permission denied");
    expect(await bind(947)).toBe("Permission denied");
  });

  it("waits while systemd holds the port, until the responder has made its key and answers there", async () => {
    await bed.stopResponder();
    rmSync(dirname(bed.keyFile), { recursive: true });
    mkdirSync(dirname(bed.keyFile));
    await bed.holdPort();
    await enable();
    const name = await bed.pushSigned("held");
    const waiting = copy(`docker://${name}`, "dir:/srv/user/a", USER);
    expect(await bind(bed.port)).toBe("Address already in use");
    bed.write(START, "");
    expect(await waiting).toBe("done");
  });

  it("gets around the gate with a policy of his own, and root does not by it", async () => {
    await enable();
    const unsigned = bed.push("own-policy", buildImage("own policy"));
    const without = ["copy", "--remove-signatures", `docker://${unsigned}`, "dir:/srv/user/a"];
    const bound = await bed.run("skopeo", without, { user: USER });
    expect(refusalIn(bound)).toBe("403 deny signature.none");
    bed.write("/srv/user/.config/containers/policy.json", ACCEPT);
    await must("chown", "-R", `${USER}:${USER}`, "/srv/user/.config");
    // The policy accepts; the signatures that would be copied are asked for all the same.
    const copied = await bed.run("skopeo", ["copy", `docker://${unsigned}`, "dir:/srv/user/b"], { user: USER });
    expect(refusalIn(copied)).toBe("403 deny signature.none");
    expect(copied.stderr).not.toContain("Source image rejected");
    expect((await bed.run("skopeo", without, { user: USER })).code).toBe(0);
    expect(refusalIn(await bed.run("podman", ["pull", unsigned], { user: USER }))).toBe("403 deny signature.none");
    bed.write("/srv/user/.config/containers/registries.d/own.yaml", "");
    const pulled = await bed.run("podman", ["pull", unsigned], { user: USER });
    expect(pulled.code, pulled.stderr).toBe(0);
    expect(await copy(`docker://${unsigned}`)).toBe("403 deny signature.none");
    await must("skopeo", "copy", "--insecure-policy", "--remove-signatures", `docker://${unsigned}`, "dir:/run/a");
  });
});

describe.runIf(testable)("the doctor's probe", () => {
  it.each(["skopeo", "podman"])("proves the gate by %s, and finds what leads around it", async (program) => {
    bed.trust({ policies: [{ name: "all", scope: "registry.example/**", action: "enforce" }] });
    await enable();
    if (program === "podman") await must("rm", "/usr/bin/skopeo");
    const probe = async () => {
      const { stdout } = await bed.run("atcr-verify", ["doctor", "--containers", "--probe", "--output", "json"]);
      const { findings } = JSON.parse(stdout) as { findings: readonly { name: string }[] };
      return findings.filter(({ name }) => name === "containers-probe" || name === "containers-key");
    };
    expect(await probe()).toEqual([
      expect.objectContaining({ level: "ok", name: "containers-key" }),
      expect.objectContaining({ level: "ok", found: expect.stringContaining(`/usr/bin/${program}`) as unknown }),
    ]);
    const accepting = { type: "insecureAcceptAnything" };
    const policy = JSON.parse(bed.read("/etc/containers/policy.json")) as { transports: { docker: object } };
    const docker = { ...policy.transports.docker, "registry.example/atcr-verify-probe": [accepting] };
    bed.write("/etc/containers/policy.json", JSON.stringify({ ...policy, transports: { docker } }));
    expect((await probe())[1]).toMatchObject({ level: "problem" });
  });
});

describe.runIf(testable)("disable --containers", () => {
  it("gives the files back, so that pulls are not verified any more", async () => {
    const before = bed.read("/etc/containers/policy.json");
    await enable();
    const name = bed.push("free", buildImage("free"));
    expect(await copy(`docker://${name}`)).toBe("403 deny signature.none");
    await must("atcr-verify", "disable", "--containers");
    expect(await copy(`docker://${name}`)).toBe("done");
    expect(JSON.parse(bed.read("/etc/containers/policy.json"))).toMatchObject(JSON.parse(before) as object);
  });
});
