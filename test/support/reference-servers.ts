import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryDirectory, startServer } from "./process.ts";
import type { Curve } from "./signing-key.ts";

const NODE = join(import.meta.dirname, "../../node_modules/.bin/node");
const LAUNCH = join(import.meta.dirname, "../e2e/servers/launch.mjs");

/** An account of the reference PDS, logged in. */
export interface Account {
  readonly did: string;
  readonly handle: string;
  readonly accessJwt: string;
}

/** What a write answers. */
export interface Written {
  /** `at://DID/COLLECTION/RKEY` */
  readonly uri: string;
  readonly cid: string;
  /** The commit that added it to the tree; absent if the record existed already. */
  readonly commit?: Commit;
}

export interface Commit {
  readonly cid: string;
  /** A TID. */
  readonly rev: string;
}

/** How a record refers to a blob. */
export interface BlobRef {
  readonly $type: "blob";
  readonly ref: { readonly $link: string };
  readonly mimeType: string;
  readonly size: number;
}

/** An operation as `/DID/log/audit` lists it. */
export interface AuditedOperation {
  readonly did: string;
  readonly operation: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly cid: string;
  readonly nullified: boolean;
  readonly createdAt: string;
}

interface HttpAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** An unexpected answer of a server: its status and its XRPC error name. */
export class ReferenceServerError extends Error {
  readonly status: number;
  /** `RepoNotFound`, `InvalidRequest`; empty when the body named none. */
  readonly error: string;

  constructor(request: string, answer: HttpAnswer) {
    const text = new TextDecoder().decode(answer.bytes);
    super(`${request} answered ${answer.status}: ${text.slice(0, 2_000)}`);
    this.status = answer.status;
    this.error = errorName(text);
  }
}

interface Started {
  readonly plcUrl: string;
  readonly pdsUrl: string;
  readonly controlUrl: string;
  readonly adminPassword: string;
}

/**
 * Starts the reference PLC directory and the reference PDS (test/e2e/servers) on free ports of
 * 127.0.0.1, with nothing in them. They reach no other network. Throws, saying so, when they are not
 * installed.
 */
export async function startReferenceServers(): Promise<ReferenceServers> {
  const directory = makeTemporaryDirectory("reference-servers");
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    const data = join(directory, "data");
    mkdirSync(data);
    const server = await startServer({
      name: "the reference servers (installed by test/e2e/servers/install.sh)",
      command: NODE,
      args: [LAUNCH, data],
      env: { PATH: "/usr/bin:/bin", TMPDIR: directory },
      logFile: join(directory, "log"),
      ready: (log) => readyLine(log) !== undefined,
      readyTimeout: 30_000,
    });
    const started = JSON.parse(readyLine(server.log()) as string) as Started;
    return new ReferenceServers(
      started,
      () => server.log(),
      async () => {
        await server.stop();
        remove();
      },
    );
  } catch (error) {
    remove();
    throw error;
  }
}

/** The reference PLC directory and the reference PDS. Methods throw ReferenceServerError unless the answer is a 200. */
export class ReferenceServers {
  /** `http://127.0.0.1:PORT` */
  readonly plcUrl: string;
  /** `http://127.0.0.1:PORT`, also as the endpoint in DID documents. */
  readonly pdsUrl: string;
  /** Everything that the servers printed. */
  readonly log: () => string;
  /** Ends both and removes their data. Does nothing the second time. */
  readonly stop: () => Promise<void>;
  readonly #controlUrl: string;
  readonly #adminPassword: string;
  #touches = 0;

  constructor(started: Started, log: () => string, stop: () => Promise<void>) {
    this.plcUrl = started.plcUrl;
    this.pdsUrl = started.pdsUrl;
    this.#controlUrl = started.controlUrl;
    this.#adminPassword = started.adminPassword;
    this.log = log;
    this.stop = stop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Makes an account with a did:plc and a k256 signing key. `handle` is 3 to 18 letters and `.test`. */
  async createAccount(handle: string): Promise<Account> {
    const body = { handle, email: `${handle.replaceAll(".", "-")}@example.com`, password: "only of this test" };
    return (await this.#xrpc("com.atproto.server.createAccount", body)) as Account;
  }

  /** Writes a record, replacing the one of that key if there is one; it is not checked against a lexicon. */
  async putRecord(
    account: Account,
    collection: string,
    rkey: string,
    record: Readonly<Record<string, unknown>>,
  ): Promise<Written> {
    const body = { repo: account.did, collection, rkey, record: { $type: collection, ...record }, validate: false };
    return (await this.#xrpc("com.atproto.repo.putRecord", body, account)) as Written;
  }

  async deleteRecord(account: Account, collection: string, rkey: string): Promise<void> {
    await this.#xrpc("com.atproto.repo.deleteRecord", { repo: account.did, collection, rkey }, account);
  }

  /** The server keeps a blob only once a record refers to it. At most 5 MiB. */
  async uploadBlob(account: Account, bytes: Uint8Array, mimeType: string): Promise<BlobRef> {
    const url = `${this.pdsUrl}/xrpc/com.atproto.repo.uploadBlob`;
    const headers = { "content-type": mimeType, authorization: `Bearer ${account.accessJwt}` };
    const answer = await expectOk(url, { method: "POST", headers, body: Buffer.from(bytes) });
    return (json(answer) as { blob: BlobRef }).blob;
  }

  /** Makes the PDS sign a new commit, with the key that it has for the account now, by an unimportant write. */
  async resign(account: Account): Promise<Commit> {
    this.#touches += 1;
    const { commit } = await this.putRecord(account, "com.example.touch", "self", { count: this.#touches });
    if (commit === undefined) {
      throw new Error("the PDS made no commit");
    }
    return commit;
  }

  /** com.atproto.sync.getRecord: the proof of the record's presence or absence, a CAR. */
  async getRecordProof(did: string, collection: string, rkey: string): Promise<Uint8Array> {
    return (await expectOk(this.recordProofUrl(did, collection, rkey))).bytes;
  }

  recordProofUrl(did: string, collection: string, rkey: string): string {
    return `${this.pdsUrl}/xrpc/com.atproto.sync.getRecord?${new URLSearchParams({ did, collection, rkey }).toString()}`;
  }

  /** `/DID/log/audit`: all operations, oldest first. */
  async auditLog(did: string): Promise<AuditedOperation[]> {
    return json(await expectOk(`${this.plcUrl}/${did}/log/audit`)) as AuditedOperation[];
  }

  /** `/DID`; answers 404 when it is unknown or ended. */
  async didDocument(did: string): Promise<Record<string, unknown>> {
    return json(await expectOk(`${this.plcUrl}/${did}`)) as Record<string, unknown>;
  }

  /**
   * Gives the account a new signing key, in the directory and in the PDS; the latest commit stays
   * signed by the old one until the next write ({@link resign}). With `publish: false` the directory
   * is not updated, so that the next commit is signed by an unauthorised key. Returns the key,
   * `did:key:z…`.
   */
  async rotateSigningKey(did: string, options: { curve?: Curve; publish?: boolean } = {}): Promise<string> {
    const { curve = "k256", publish = true } = options;
    const answer = await this.#control("/signing-key", { did, curve, publish });
    return (answer as { key: string }).key;
  }

  /** Ends the DID in the directory. The PDS goes on serving the repo. */
  async tombstone(did: string): Promise<void> {
    await this.#control("/tombstone", { did });
  }

  /** While deactivated, the PDS answers 400 RepoDeactivated for the repo. */
  async setDeactivated(did: string, applied: boolean): Promise<void> {
    await this.#setStatus(did, { deactivated: { applied } });
  }

  /** While taken down, the PDS answers 400 RepoTakendown for the repo. */
  async setTakenDown(did: string, applied: boolean): Promise<void> {
    await this.#setStatus(did, { takedown: { applied } });
  }

  /** Closes a server's port, so that connections are refused, and later reopens it with all its data. */
  async setListening(server: "plc" | "pds", on: boolean): Promise<void> {
    await this.#control("/listening", { server, on });
  }

  /** Blocked attempts of the servers to reach hosts outside loopback: empty unless a test caused them. */
  async refusedConnections(): Promise<string[]> {
    return json(await expectOk(`${this.#controlUrl}/refused`)) as string[];
  }

  async #setStatus(did: string, status: Readonly<Record<string, unknown>>): Promise<void> {
    const subject = { $type: "com.atproto.admin.defs#repoRef", did };
    const authorization = `Basic ${Buffer.from(`admin:${this.#adminPassword}`).toString("base64")}`;
    const url = `${this.pdsUrl}/xrpc/com.atproto.admin.updateSubjectStatus`;
    await expectOk(url, post({ subject, ...status }, { authorization }));
  }

  async #xrpc(method: string, body: unknown, account?: Account): Promise<unknown> {
    const headers = account && { authorization: `Bearer ${account.accessJwt}` };
    return json(await expectOk(`${this.pdsUrl}/xrpc/${method}`, post(body, headers)));
  }

  async #control(path: string, body: unknown): Promise<unknown> {
    return json(await expectOk(this.#controlUrl + path, post(body)));
  }
}

async function expectOk(url: string, init: RequestInit = {}): Promise<HttpAnswer> {
  const response = await fetch(url, init);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const answer = { status: response.status, bytes };
  if (response.status !== 200) {
    throw new ReferenceServerError(`${init.method ?? "GET"} ${url}`, answer);
  }
  return answer;
}

function post(body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

function json(answer: HttpAnswer): unknown {
  return JSON.parse(new TextDecoder().decode(answer.bytes));
}

function errorName(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}

function readyLine(log: string): string | undefined {
  return /^\{"plcUrl":.*\}$/m.exec(log)?.[0];
}
