import type { YamlFile } from "../encoding/yaml.ts";
import type { ConfigShape } from "./config-schema.ts";
import { isLoopback, type ListenAddress, parseListen } from "./listen-address.ts";

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

function readListen(file: YamlFile, listen: string): ListenAddress {
  const { address, port } = DEFAULT_LOOKASIDE;
  return file.attempt({ address, port }, () => {
    const parsed = parseListen(listen);
    const path = ["lookaside", "listen"];
    if (parsed === undefined) return file.fail({ path, expected: EXPECTED });
    const advice = "its answers are for the programs of this node alone";
    if (!isLoopback(parsed.ip)) return file.fail({ path, expected: EXPECTED, advice });
    return { address: parsed.address, port: parsed.port };
  });
}
