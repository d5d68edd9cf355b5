import { call, encodeField, useGrpc } from "./grpc.ts";

const TRANSFER = "/containerd.services.transfer.v1.Transfer/Transfer";

/**
 * Has containerd pull an image from a plain HTTP registry as ctr and nerdctl do (services.transfer.v1).
 *
 * @param namespace containerd's
 * @param timeout milliseconds
 * @throws GrpcError if containerd refuses, Error if it does not answer in time
 */
export async function pullByTransfer(socket: string, namespace: string, name: string, timeout: number): Promise<void> {
  const text = (number: number, value: string) => encodeField(number, Buffer.from(value));
  // OCIRegistry: reference 1, resolver 2; RegistryResolver: default_scheme 4; ImageStore: name 1.
  const source = Buffer.concat([text(1, name), encodeField(2, text(4, "http"))]);
  const request = Buffer.concat([
    encodeField(1, anyOf("containerd.types.transfer.OCIRegistry", source)),
    encodeField(2, anyOf("containerd.types.transfer.ImageStore", text(1, name))),
  ]);
  await useGrpc(socket, timeout, (session) => call(session, TRANSFER, request, { "containerd-namespace": namespace }));
}

/** google.protobuf.Any: type_url 1, value 2. */
function anyOf(type: string, value: Uint8Array): Uint8Array {
  return Buffer.concat([encodeField(1, Buffer.from(type)), encodeField(2, value)]);
}
