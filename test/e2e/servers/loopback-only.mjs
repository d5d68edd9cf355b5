// Keeps the servers of this process off every network but loopback. Imported before them.
//
// A PDS looks up handles, lexicons and other people's servers when it is asked to. Such an attempt
// fails here as it would on a machine without a network, and is remembered, so that a test can tell
// that there was none.

import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { BlockList, isIP, Socket } from "node:net";

/** What was refused, in order: `connect HOST:PORT` or `FUNCTION NAME`. */
export const refused = [];

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function isLoopback(host) {
  const family = isIP(host);
  return family === 0 ? host === "localhost" : loopback.check(host, `ipv${family}`);
}

function refuse(what) {
  refused.push(what);
  return Object.assign(new Error(`refused, only loopback is allowed: ${what}`), { code: "ENETUNREACH" });
}

/** The host that the arguments of Socket.connect() name; undefined: a Unix socket. */
function destination(args) {
  // net.connect() hands its arguments on as one array that it has sorted already.
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof first === "object" && first !== null) {
    // node:http passes `path: null` for the want of one.
    return typeof first.path === "string" ? undefined : { host: first.host ?? "localhost", port: first.port };
  }
  return Number.isNaN(Number(first))
    ? undefined
    : { host: typeof second === "string" ? second : "localhost", port: first };
}

const connect = Object.getOwnPropertyDescriptor(Socket.prototype, "connect").value;
Socket.prototype.connect = function (...args) {
  const to = destination(args);
  if (to !== undefined && !isLoopback(to.host)) {
    const error = refuse(`connect ${to.host}:${to.port}`);
    process.nextTick(() => this.destroy(error));
    return this;
  }
  return Reflect.apply(connect, this, args);
};

function guardCallback(object, name) {
  const original = object[name];
  object[name] = function (host, ...rest) {
    if (isLoopback(host)) return Reflect.apply(original, this, [host, ...rest]);
    const error = refuse(`${name} ${host}`);
    process.nextTick(rest.at(-1), error);
    return undefined;
  };
}

function guardPromise(object, name) {
  const original = object[name];
  object[name] = async function (host, ...rest) {
    if (isLoopback(host)) return Reflect.apply(original, this, [host, ...rest]);
    throw refuse(`${name} ${host}`);
  };
}

for (const [module, guard] of [
  [dns, guardCallback],
  [dns.promises, guardPromise],
]) {
  for (const object of [module, module.Resolver.prototype]) {
    for (const name of Object.getOwnPropertyNames(object)) {
      if (/^(?:lookup|resolve.*|reverse)$/.test(name)) guard(object, name);
    }
  }
}
syncBuiltinESMExports();
