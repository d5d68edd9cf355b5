import { call, encodeField, useGrpc } from "./grpc.ts";

/**
 * Aborts an unfinished write to containerd's content store (services.content.v1, Content/Abort). Errors are ignored,
 * because containerd removes unfinished writes itself later.
 *
 * @param namespace containerd's
 * @param ref of the write: `manifest-sha256:…`
 * @param timeout milliseconds
 */
export async function abortIngest(socket: string, namespace: string, ref: string, timeout: number): Promise<void> {
  const request = encodeField(1, Buffer.from(ref));
  const abort = "/containerd.services.content.v1.Content/Abort";
  try {
    await useGrpc(socket, timeout, (session) => call(session, abort, request, { "containerd-namespace": namespace }));
  } catch {
    // There was none, or containerd removes it later.
  }
}
