import { gzipSync } from "node:zlib";
import { type DocumentForm, didDocument } from "./did-document.ts";
import { type Answer, errorAnswer, type RecordedRequest, type ServerOptions, StandInServer } from "./http-server.ts";
import type { SignedRepo } from "./signed-repo.ts";
import type { SigningKey } from "./signing-key.ts";

export type RepoStatus = "active" | "RepoNotFound" | "RepoDeactivated" | "RepoTakendown";

/** The reference PDS compresses from this many bytes on, if asked for. */
const COMPRESSED_FROM = 1024;

/** A PDS: `com.atproto.sync.getRecord` of the repos given to it, and documents of did:web. */
export class StandInPds extends StandInServer {
  /** By DID; may be changed at any time, and so may the repos in it. */
  readonly repos = new Map<string, SignedRepo>();
  readonly #status = new Map<string, RepoStatus>();
  readonly #documents = new Map<string, unknown>();

  static async start(options: ServerOptions = {}): Promise<StandInPds> {
    return new StandInPds(options).listen();
  }

  /** Serves these repos from now on. */
  add(...repos: readonly SignedRepo[]): this {
    for (const repo of repos) this.repos.set(repo.did, repo);
    return this;
  }

  setStatus(did: string, status: RepoStatus): void {
    this.#status.set(did, status);
  }

  /** The did:web of this server: `did:web:127.0.0.1%3A40001`. */
  get didWeb(): string {
    return `did:web:${encodeURIComponent(this.authority).replaceAll("%5B", "[").replaceAll("%5D", "]")}`;
  }

  /**
   * Serves a DID document at `/.well-known/did.json`, to requests for `authority` only (default: this
   * server's). The document may be changed afterwards.
   */
  serveDocument(document: unknown, authority: string = this.authority): void {
    this.#documents.set(authority, document);
  }

  /** Serves the document of {@link didWeb} with this key and this server as its PDS. */
  serveDidWeb(key: SigningKey, handle: string, form: DocumentForm = "multikey"): string {
    const did = this.didWeb;
    this.serveDocument(didDocument({ did, handles: [handle], key, pds: this.origin, form }));
    return did;
  }

  protected async answer(request: RecordedRequest): Promise<Answer> {
    if (request.path === "/.well-known/did.json") {
      const document = this.#documents.get(request.headers.host ?? "");
      return document === undefined ? errorAnswer(404, { error: "NotFound" }) : { json: document };
    }
    if (request.path !== "/xrpc/com.atproto.sync.getRecord") {
      return errorAnswer(501, { error: "MethodNotImplemented", message: "Method Not Implemented" });
    }
    const did = request.query.get("did");
    const collection = request.query.get("collection");
    const rkey = request.query.get("rkey");
    if (did === null || collection === null || rkey === null) {
      return errorAnswer(400, { error: "InvalidRequest", message: "Params must have did, collection and rkey" });
    }
    return this.#record(did, collection, rkey, request);
  }

  async #record(did: string, collection: string, rkey: string, request: RecordedRequest): Promise<Answer> {
    const repo = this.repos.get(did);
    const status = this.#status.get(did) ?? "active";
    if (repo === undefined || status === "RepoNotFound") {
      return errorAnswer(400, { error: "RepoNotFound", message: `Could not find repo for DID: ${did}` });
    }
    if (status !== "active") {
      return errorAnswer(400, { error: status, message: `Repo has been ${status.slice(4).toLowerCase()}: ${did}` });
    }
    const body = await repo.proof(collection, rkey);
    const headers = { "content-type": "application/vnd.ipld.car", vary: "Accept-Encoding" };
    if (body.length < COMPRESSED_FROM || !/\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""))) {
      return { body, headers };
    }
    return { body: gzipSync(body), headers: { ...headers, "content-encoding": "gzip" } };
  }
}
