import type { DocumentForm } from "./did-document.ts";
import { type Answer, errorAnswer, type RecordedRequest, type ServerOptions, StandInServer } from "./http-server.ts";
import type { PlcLog } from "./plc-operations.ts";

/** A PLC directory: `GET /DID` and `GET /DID/log/audit` of the logs given to it. */
export class StandInPlc extends StandInServer {
  /** By DID; may be changed at any time, and so may the logs in it. */
  readonly logs = new Map<string, PlcLog>();
  /** The form of the documents; @did-plc/server 0.0.1 writes `legacy`. */
  form: DocumentForm = "multikey";

  static async start(options: ServerOptions = {}): Promise<StandInPlc> {
    return new StandInPlc(options).listen();
  }

  /** Serves these logs from now on. */
  add(...logs: readonly PlcLog[]): this {
    for (const log of logs) this.logs.set(log.did, log);
    return this;
  }

  protected answer(request: RecordedRequest): Answer {
    const [, encoded = "", ...rest] = request.path.split("/");
    const did = decodeURIComponent(encoded);
    const log = this.logs.get(did);
    if (request.method !== "GET") return errorAnswer(405, { message: "Method Not Allowed" });
    if (log === undefined) return errorAnswer(404, { message: `DID not registered: ${did}` });
    const tail = rest.join("/");
    if (tail === "log/audit") return { json: log.entries() };
    if (tail !== "") return errorAnswer(404, { message: "Not Found" });
    const document = log.document(this.form);
    if (document === undefined) return errorAnswer(404, { message: `DID not available: ${did}` });
    return { json: document, headers: { "content-type": "application/did+ld+json; charset=utf-8" } };
  }
}
