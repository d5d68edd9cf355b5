import { call, connectGrpc, encodeField, textOf } from "./grpc.ts";

/**
 * Has containerd pull an image as a kubelet does (runtime.v1, ImageService/PullImage).
 *
 * @param timeout milliseconds
 * @returns the image's id
 * @throws GrpcError if containerd refuses, Error if it does not answer in time
 */
export async function pullByCri(socket: string, name: string, timeout: number): Promise<string> {
  const session = connectGrpc(socket);
  const timer = setTimeout(() => session.destroy(new Error(`no answer within ${timeout / 1000} s`)), timeout);
  try {
    const request = encodeField(1, encodeField(1, Buffer.from(name)));
    return textOf(await call(session, "/runtime.v1.ImageService/PullImage", request), 1);
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}
