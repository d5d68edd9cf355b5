import { call, connectGrpc, encodeField, readFields, textOf } from "../../src/platform/containerd/grpc.ts";

// Enough of the Kubernetes CRI (runtime.v1) to pull as a kubelet does.

export interface CriClient {
  /** `RuntimeService/Version`. */
  version(): Promise<{ name: string; version: string }>;
  /** `ImageService/PullImage`: the image's id. @throws GrpcError when refused */
  pullImage(name: string): Promise<string>;
  /** `ImageService/ImageStatus`: the image's id, or undefined when it is not there. */
  imageStatus(name: string): Promise<string | undefined>;
  /** `ImageService/RemoveImage`. Removing what is not there succeeds. */
  removeImage(name: string): Promise<void>;
  close(): void;
}

/** Connects to containerd's socket. */
export function connectCri(socket: string): CriClient {
  const session = connectGrpc(socket);
  const image = (name: string): Uint8Array => encodeField(1, encodeField(1, Buffer.from(name)));
  return {
    async version() {
      const answer = await call(session, "/runtime.v1.RuntimeService/Version", new Uint8Array());
      return { name: textOf(answer, 2), version: textOf(answer, 3) };
    },
    async pullImage(name) {
      return textOf(await call(session, "/runtime.v1.ImageService/PullImage", image(name)), 1);
    },
    async imageStatus(name) {
      const found = (await call(session, "/runtime.v1.ImageService/ImageStatus", image(name))).get(1);
      return found && textOf(readFields(found), 1);
    },
    async removeImage(name) {
      await call(session, "/runtime.v1.ImageService/RemoveImage", image(name));
    },
    close() {
      session.close();
    },
  };
}
