import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BINARY } from "../support/binary.ts";
import { freePort } from "../support/free-port.ts";
import { makeTemporaryDirectory, type ServerProcess, startServer } from "../support/process.ts";
import { ProjectedVolume } from "../support/projected-volume.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const canMount = requirement("the server's files in volumes", missingRoot("mounts folders as the kubelet does"));

const SECRET = "0123456789abcdef";
const DENY = "version: 1.0\ndefault: deny\n";
const IMAGE = `registry.example/app@sha256:${"0".repeat(64)}`;
/** A ConfigMap's volume, a Secret's, and a file with subPath; then the server. */
const MOUNTED = `
PATH=/usr/sbin:/usr/bin:/sbin:/bin
set -e
mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"
mount -t tmpfs none "$1"; echo "kyverno:${SECRET}" > "$1/tokens"; chmod 0644 "$1/tokens"; mount -o remount,ro "$1"
mount --bind "$2" "$2"
shift 2
exec "$@"
`;

describe.runIf(canMount)("the server's files in volumes", () => {
  const folder = makeTemporaryDirectory("mounted");
  const [tokens, pinned] = [join(folder, "tokens"), join(folder, "pinned.yaml")];
  let volume: ProjectedVolume;
  let files: Readonly<Record<string, string>>;
  let server: ServerProcess | undefined;
  const log = (): string => server?.log() ?? "";
  let port: number;

  const answer = (
    path: string,
    token?: string,
    host = `127.0.0.1:${port}`,
  ): Promise<{ readonly status: number | undefined; readonly text: string }> =>
    new Promise((done, fail) => {
      const headers = { host, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
      const asking = get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => done({ status: response.statusCode, text }));
      });
      asking.once("error", fail);
    });
  const isReloaded = async (what: string): Promise<string | undefined> =>
    new RegExp(`^atcr_verify_server_last_reload_successful\\{what="${what}"\\} (\\d)$`, "m").exec(
      (await answer("/metrics")).text,
    )?.[1];

  beforeAll(async () => {
    port = await freePort();
    mkdirSync(tokens);
    writeFileSync(pinned, DENY);
    const at = (name: string): string => join(folder, "volume", name);
    const config = {
      trustPolicyPath: at("policy.yaml"),
      stateDir: join(folder, "state"),
      server: {
        listen: `127.0.0.1:${port}`,
        tokenFiles: [join(tokens, "tokens")],
        policies: { staging: at("staging.yaml"), pinned },
        breakGlassFile: at("break-glass.yaml"),
      },
    };
    files = { "config.yaml": JSON.stringify(config), "policy.yaml": DENY, "staging.yaml": DENY };
    volume = new ProjectedVolume(join(folder, "volume"), files);
    server = await startServer({
      name: "atcr-verify serve",
      command: "/usr/bin/unshare",
      args: [
        "--mount",
        "/bin/sh",
        "-c",
        MOUNTED,
        volume.folder,
        tokens,
        pinned,
        BINARY,
        "serve",
        "--config",
        at("config.yaml"),
      ],
      env: {},
      logFile: join(folder, "log"),
      ready: () =>
        answer("/readyz").then(
          ({ status }) => status === 200,
          () => false,
        ),
    });
  });
  afterAll(async () => {
    await server?.stop({ patience: 100 });
    rmSync(folder, { recursive: true });
  });

  it("are trusted, tokens of mode 0644 too, and one that is never updated is named", async () => {
    const path = `/v1/verify?image=${IMAGE}`;
    expect([(await answer(path)).status, (await answer(path, `${SECRET}0`)).status]).toEqual([401, 401]);
    expect(await answer(path, SECRET)).toMatchObject({ status: 200 });
    // The listener has no TLS.
    expect(await answer(path, SECRET, "rebound.example")).toMatchObject({ status: 403 });
    expect(log()).toMatch(/^requests that could not be read: 1; the last: 403 GET \/v1\/verify: expected Host: /m);
    expect(log()).toContain(`warning settings.not_reloaded: ${pinned} is mounted by itself (subPath)`);
    expect(log().match(/not_reloaded/g)).toHaveLength(1);
  });

  it("are read again when the link of the volume is switched, and a broken one is left out", async () => {
    volume.update({ ...files, "policy.yaml": `${DENY}# changed\n`, "staging.yaml": "version: 2\n" });
    await vi.waitFor(() => expect(log()).toContain("what was valid before"), 5000);
    expect(log()).toMatch(/^policy: .*policy\.yaml was read again; .*; enforces; SHA-256 [0-9a-f]{64}$/m);
    expect(log()).toMatch(/^policy staging: .*staging\.yaml:1:10: .*; what was valid before stays in use$/m);
    expect(await isReloaded("policy")).toBe("0");
    expect(await answer("/readyz")).toMatchObject({ status: 200 });
    volume.update(files);
    await vi.waitFor(
      () => expect(log()).toMatch(/^policy staging: .*staging\.yaml is valid again, as before; /m),
      5000,
    );
    expect(await isReloaded("policy")).toBe("1");
  });

  it("are named where a policy is renamed", async () => {
    volume.update({ ...files, "config.yaml": files["config.yaml"]?.replace('"staging":', '"production":') ?? "" });
    await vi.waitFor(
      () => expect(log()).toMatch(/^policy production: .*staging\.yaml was read; .*; enforces; SHA-256 /m),
      5000,
    );
    expect(log()).toMatch(/^policy staging is gone from server\.policies: \/admit\/staging refuses every image now, /m);
  });
});
