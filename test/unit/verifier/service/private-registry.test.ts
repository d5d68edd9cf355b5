import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Config, DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { Authorities } from "../../../../src/io/net/authorities.ts";
import { createHttpClient } from "../../../../src/io/net/http.ts";
import { proxiesOf } from "../../../../src/io/net/proxy.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { RequestCounts } from "../../../../src/verifier/service/exchanges.ts";
import type { Network } from "../../../../src/verifier/service/network.ts";
import { ServerMemory } from "../../../../src/verifier/service/server-memory.ts";
import type { Session } from "../../../../src/verifier/service/session.ts";
import { Verifier } from "../../../../src/verifier/service/verifier.ts";
import { nobodies, policy } from "../../../support/deciding.ts";
import { DIGEST } from "../../../support/evidence.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

// Any author of a pod names the registry that a server asks: with the program's own client, and an address guard.

let connections = 0;
const listener = createServer((socket) => {
  connections++;
  socket.destroy();
});
let port = 0;
beforeAll(async () => {
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
afterAll(() => {
  listener.close();
});

/** What names resolve to. */
const NAMES: Readonly<Record<string, string>> = {
  "internal.example": "127.0.0.1",
  "metadata.example": "169.254.169.254",
  "mapped.example": "::ffff:127.0.0.1",
};
const directory = makeTemporaryDirectory("private-registry");

/** @param plainHttp hosts with their port that network.allow lists, by http */
function verifier(plainHttp: readonly string[] = []): Verifier {
  const network = { cidrs: [], hosts: [], plainHttp };
  const folders = { stateDir: directory, cacheDir: directory, bundleDir: directory, registryConfigPath: [] };
  const config: Config = { ...DEFAULT_CONFIG, ...folders, network };
  const open = (): Network => ({
    http: (warn) =>
      createHttpClient({
        version: "1",
        allow: network,
        proxies: proxiesOf(undefined, {}),
        authorities: new Authorities(() => ({ files: [], problems: [] }), []),
        skipVerify: [],
        resolve: async (host) => [NAMES[host] ?? "192.0.2.1"],
        warn,
      }),
    txt: async () => [],
    environment: {},
  });
  const anywhere = { scopes: [parseScope("**/*") as Scope] };
  const settings = { config, policy: policy(nobodies(1), {}, anywhere), environment: {} };
  return new Verifier({ ...settings, memory: new ServerMemory() }, open);
}

const session = (): Session => ({
  deadline: new Deadline(performance.now() + 3000),
  requestCounts: new RequestCounts(),
  privateRegistry: "network.allow",
  now: () => Date.now(),
  warn: () => {},
  ruleSelected: () => {},
  beforeHeavyWork: () => {},
});

describe("a registry at a private address that anybody may name", () => {
  it.each<[string, () => string]>([
    ["loopback", () => `127.0.0.1:${port}`],
    ["loopback by IPv6", () => `[::1]:${port}`],
    ["loopback mapped into IPv6", () => `[::ffff:7f00:1]:${port}`],
    ["a private network", () => "10.0.0.5"],
    ["a metadata service", () => "169.254.169.254"],
    ["a metadata service mapped into IPv6", () => "[::ffff:a9fe:a9fe]"],
    ["a name that resolves to loopback", () => `internal.example:${port}`],
    ["a name that resolves to a metadata service", () => "metadata.example"],
    ["a name that resolves to mapped loopback", () => `mapped.example:${port}`],
  ])("is not asked, neither for evidence nor for a tag: %s", async (_, host) => {
    const before = connections;
    const asked = verifier();
    const name = parseReference(`${host()}/team/app:v1`);
    await expect(asked.resolve(name, session())).rejects.toMatchObject({ code: "net.forbidden_address" });
    const { evidence } = await asked.verify({ name, digest: DIGEST }, session());
    const gaps = evidence?.().gaps.filter(({ service }) => service === "registry");
    expect(gaps?.map(({ code }) => code)).toEqual(["net.forbidden_address"]);
    expect(connections).toBe(before);
  });

  it("is asked where network.allow lists it", async () => {
    const before = connections;
    const host = `internal.example:${port}`;
    const asked = verifier([host]).resolve(parseReference(`${host}/team/app:v1`), session());
    await expect(asked).rejects.not.toMatchObject({ code: "net.forbidden_address" });
    expect(connections).toBeGreaterThan(before);
  });
});
