// Runs the reference PLC directory and the reference PDS, both on 127.0.0.1 and for one test only:
//
//   node launch.mjs DIRECTORY
//
// DIRECTORY, empty, takes the PDS's data; the directory's operations stay in memory. When everything
// listens, one line of JSON on stdout says where: plcUrl, pdsUrl, controlUrl, adminPassword. SIGTERM
// ends it. The control server does what no client of a PDS can do:
//
//   POST /signing-key {did, curve, publish}   a new key for the account's next commits -> {key}
//   POST /tombstone   {did}                   ends the DID in the directory
//   POST /listening   {server, on}            takes `plc` or `pds` off its port, and puts it back
//   GET  /refused                             what loopback-only.mjs refused -> [text]

// First, before a server takes a function that it replaces.
import "./loopback-only.mjs";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { P256Keypair, Secp256k1Keypair } from "@atproto/crypto";
import { envToCfg, envToSecrets, PDS } from "@atproto/pds";
import plcServer from "@did-plc/server";
import { refused } from "./loopback-only.mjs";

const HOST = "127.0.0.1";
const directory = process.argv[2];
if (directory === undefined) throw new Error("usage: launch.mjs DIRECTORY");

/** An HTTP server that has its port before what it serves is made, because the PDS must know its own address. */
async function listen(port = 0) {
  const server = createServer();
  server.listen(port, HOST);
  await once(server, "listening");
  return server;
}

const portOf = (server) => server.address().port;

const plcListener = await listen();
const plc = plcServer.PlcServer.create({ db: plcServer.Database.mock() });
plcListener.on("request", plc.app);

const pdsListener = await listen();
const adminPassword = randomBytes(16).toString("hex");
const env = {
  port: portOf(pdsListener),
  hostname: "localhost",
  dataDirectory: directory,
  blobstoreDiskLocation: join(directory, "blobs"),
  blobstoreDiskTmpLocation: join(directory, "blobs-tmp"),
  // By name: the PDS's client for addresses it was given refuses every literal one.
  didPlcUrl: `http://localhost:${portOf(plcListener)}`,
  // Plain http is accepted only so.
  devMode: true,
  serviceHandleDomains: [".test"],
  inviteRequired: false,
  rateLimitsEnabled: false,
  // No appview, moderation or report service, entryway, mail, redis: nobody to call.
  crawlers: [],
  jwtSecret: randomBytes(16).toString("hex"),
  dpopSecret: randomBytes(32).toString("hex"),
  adminPassword,
  plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString("hex"),
};
const config = envToCfg(env);
// This is what stands in DID documents. An address, so that no resolver turns it into ::1.
config.service.publicUrl = `http://${HOST}:${portOf(pdsListener)}`;
const pds = await PDS.create(config, envToSecrets(env));
const { actorStore, plcClient, plcRotationKey, sequencer } = pds.ctx;
// Instead of pds.start(), which would listen on every address of the machine.
await sequencer.start();
pdsListener.on("request", pds.app);

// The actor store keeps k256 keys only; an account with a new key signs with the one held here.
const newKeys = new Map();
const storedKeypair = actorStore.keypair.bind(actorStore);
actorStore.keypair = async (did) => newKeys.get(did) ?? storedKeypair(did);

const listeners = {
  plc: { server: plcListener, port: portOf(plcListener) },
  pds: { server: pdsListener, port: portOf(pdsListener) },
};

const controls = {
  async "POST /signing-key"({ did, curve, publish }) {
    const key = await (curve === "p256" ? P256Keypair : Secp256k1Keypair).create({ exportable: true });
    await storedKeypair(did);
    if (publish) await plcClient.updateAtprotoKey(did, plcRotationKey, key.did());
    newKeys.set(did, key);
    return { key: key.did() };
  },
  async "POST /tombstone"({ did }) {
    await plcClient.tombstone(did, plcRotationKey);
    return {};
  },
  async "POST /listening"({ server: name, on }) {
    const { server, port } = listeners[name];
    if (on && !server.listening) {
      server.listen(port, HOST);
      await once(server, "listening");
    } else if (!on && server.listening) {
      await close(server);
    }
    return {};
  },
  async "GET /refused"() {
    return refused;
  },
};

async function control(request, response) {
  let body = "";
  for await (const chunk of request) body += chunk;
  const answer = await controls[`${request.method} ${request.url}`](body === "" ? {} : JSON.parse(body));
  response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
}

const controlListener = await listen();
controlListener.on("request", (request, response) => {
  control(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error?.stack ?? error));
  });
});

async function close(server) {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

async function end() {
  for (const server of [controlListener, pdsListener, plcListener]) {
    if (server.listening) await close(server);
  }
  await pds.destroy();
  await plc.destroy();
  process.exit(0);
}

process.once("SIGTERM", () => void end());

console.log(
  JSON.stringify({
    plcUrl: `http://${HOST}:${portOf(plcListener)}`,
    pdsUrl: config.service.publicUrl,
    controlUrl: `http://${HOST}:${portOf(controlListener)}`,
    adminPassword,
  }),
);
