import type { YamlPath } from "../encoding/yaml.ts";
import * as shape from "../policy/shape.ts";
import { GATES } from "./server-settings.ts";

export const GATE_EXPECTED = `one of ${GATES.join(", ")}`;

/** The shape of the key `server`; read-server.ts checks what its strings mean. */
const path = shape.text("the absolute path of a file");
const listen = shape.text("an IP address and a port, such as 127.0.0.1:8443");
const gates = shape.nonEmptyList(shape.text(GATE_EXPECTED), "a list of gates");
const tls = shape.keys(
  { certFile: path, keyFile: path, clientCaFile: shape.optional(path) },
  "a map with the keys certFile and keyFile",
);

export const SERVER_SHAPE = shape.keys(
  {
    listen: shape.optional(listen),
    gates: shape.optional(gates),
    tls: shape.optional(tls),
    listeners: shape.optional(
      shape.nonEmptyList(
        shape.keys({ listen, gates, tls: shape.optional(tls) }, "a map with the keys listen, gates and tls"),
        "a list of listeners",
      ),
    ),
    tokenFiles: shape.optional(shape.list(path, "a list of files with tokens, or [] for none")),
    policies: shape.optional(
      shape.map(shape.text("the name of a policy"), path, "a map from names to files of policies, or {} for none"),
    ),
    tags: shape.optional(shape.oneOf(["refuse", "resolve-unpinned"], "refuse or resolve-unpinned")),
    breakGlassFile: shape.optional(path),
  },
  "a map with keys such as listen",
);

export type ServerShape = shape.Infer<typeof SERVER_SHAPE>;

/** An own port in the place of each, as two listeners with one would be a mistake of its own. */
const listenerAt = (index: number): unknown => ({ listen: `127.0.0.1:${65535 - index}`, gates: ["health"] });
const SUBSTITUTES: Readonly<Record<string, unknown>> = {
  listen: "127.0.0.1:65535",
  gates: ["health"],
  tls: { certFile: "/", keyFile: "/" },
  certFile: "/",
  keyFile: "/",
  listeners: [listenerAt(0)],
  tokenFiles: ["/"],
};

/** What takes the place of a value of the key `server` that has not its shape, so that nothing else seems wrong for it. */
export function serverSubstitute(path: YamlPath): unknown {
  if (path[0] !== "server" || path[1] === "policies") return undefined;
  const last = path.at(-1);
  if (typeof last === "number") return path.at(-2) === "listeners" ? listenerAt(last) : undefined;
  return last === undefined ? undefined : SUBSTITUTES[last];
}
