import { call, connectGrpc, encodeField } from "./grpc.ts";

/**
 * Aborts an unfinished write to containerd's content store (services.content.v1, Content/Abort). Errors are ignored,
 * because containerd removes unfinished writes itself later.
 *
 * @param namespace containerd's
 * @param ref of the write: `manifest-sha256:…`
 * @param timeout milliseconds
 */
export async function abortIngest(socket: string, namespace: string, ref: string, timeout: number): Promise<void> {
  const session = connectGrpc(socket);
  const timer = setTimeout(() => session.destroy(), timeout);
  try {
    const request = encodeField(1, Buffer.from(ref));
    await call(session, "/containerd.services.content.v1.Content/Abort", request, {
      "containerd-namespace": namespace,
    });
  } catch {
    // There was none, or containerd removes it later.
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}
