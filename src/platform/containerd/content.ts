import { call, connectGrpc, encodeField } from "./grpc.ts";

/**
 * Has containerd forget content that it began to write (services.content.v1, Content/Abort). That there is none, or
 * that it does not answer, is no mistake of the caller's: it forgets by itself later.
 *
 * @param namespace containerd's
 * @param ref name of the writing: `manifest-sha256:…`
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
    // It was not there, or is forgotten later.
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}
