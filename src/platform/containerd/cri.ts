import { call, encodeField, textOf, useGrpc } from "./grpc.ts";

/**
 * Has containerd pull an image as a kubelet does (runtime.v1, ImageService/PullImage).
 *
 * @param timeout milliseconds
 * @returns the image's id
 * @throws GrpcError if containerd refuses, Error if it does not answer in time
 */
export async function pullByCri(socket: string, name: string, timeout: number): Promise<string> {
  const request = encodeField(1, encodeField(1, Buffer.from(name)));
  const pull = "/runtime.v1.ImageService/PullImage";
  return useGrpc(socket, timeout, async (session) => textOf(await call(session, pull, request), 1));
}
