import { type IpAddress, parseCanonicalIp } from "../encoding/ip-address.ts";
import type { YamlFile } from "../encoding/yaml.ts";
import { parseHostPort } from "../oci/host.ts";
import type { ConfigShape } from "./config-schema.ts";

/** Where the responder for containers/image listens, and the key by which it signs. */
export interface LookasideSettings {
  /** An address of the loopback interface, without brackets, and a port. */
  readonly address: string;
  readonly port: number;
  /** Absolute path of this node's private key; the public one has `.pub` behind it. */
  readonly keyFile: string;
}

/** A port below 1024, which only root can take, and so nobody else while the responder is stopped. */
export const DEFAULT_LOOKASIDE: LookasideSettings = {
  address: "127.0.0.1",
  port: 947,
  keyFile: "/var/lib/atcr-verify-lookaside/node.key",
};

const EXPECTED = "a loopback address and a port, such as 127.0.0.1:947";

/** @throws Rejection config.invalid */
export function readLookaside(file: YamlFile, { lookaside }: ConfigShape): LookasideSettings {
  const { listen, keyFile } = lookaside ?? {};
  const at = ["lookaside", "keyFile"];
  return {
    ...(listen === undefined ? DEFAULT_LOOKASIDE : readListen(file, listen)),
    keyFile:
      keyFile === undefined
        ? DEFAULT_LOOKASIDE.keyFile
        : file.attempt(keyFile, () =>
            keyFile.startsWith("/") && !keyFile.includes("\0")
              ? keyFile
              : file.fail({ path: at, expected: "an absolute path" }),
          ),
  };
}

/** `127.0.0.1:947`, `[::1]:947`: as it stands in the URLs of registries.d. */
export function listenText({ address, port }: Pick<LookasideSettings, "address" | "port">): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Whether only this machine can reach an address: 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 127;
  return address.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

function readListen(file: YamlFile, listen: string): Pick<LookasideSettings, "address" | "port"> {
  return file.attempt({ address: DEFAULT_LOOKASIDE.address, port: DEFAULT_LOOKASIDE.port }, () => {
    const parsed = parseHostPort(listen);
    const path = ["lookaside", "listen"];
    if (typeof parsed === "string" || parsed.port === undefined) return file.fail({ path, expected: EXPECTED });
    const address = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
    const ip = parseCanonicalIp(address);
    const advice = "its answers are for the programs of this node alone";
    if (ip === undefined || !isLoopback(ip)) return file.fail({ path, expected: EXPECTED, advice });
    return { address, port: parsed.port };
  });
}
