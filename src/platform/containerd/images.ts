import { callRaw, readAll, readFields, textOf, useGrpc } from "./grpc.ts";

/** An image that containerd has, by one of its names. */
export interface NodeImage {
  readonly namespace: string;
  /** As given by its creator: attacker-controlled. */
  readonly name: string;
  /** What verifiers are asked about: the digest of the index, or of the manifest where there is none. */
  readonly digest: string;
  readonly mediaType: string;
}

/** A namespace was asked for that this containerd does not have. */
export class NoSuchNamespace extends Error {
  constructor(asked: string, known: readonly string[]) {
    super(
      `there is no namespace "${asked}"; ${known.length === 0 ? "containerd has none" : `containerd has: ${known.join(", ")}`}`,
    );
  }
}

const NAMESPACES = "/containerd.services.namespaces.v1.Namespaces/List";
const IMAGES = "/containerd.services.images.v1.Images/List";

/**
 * All images of a containerd (its API, containerd.services.images.v1).
 *
 * @param namespaces undefined: all there are
 * @param timeout milliseconds for each answer
 * @throws Error if it does not answer; NoSuchNamespace
 */
export async function listImages(
  socket: string,
  namespaces: readonly string[] | undefined,
  timeout: number,
): Promise<readonly NodeImage[]> {
  return useGrpc(socket, timeout, async (session) => {
    const known = messages(await callRaw(session, NAMESPACES, new Uint8Array())).map((one) =>
      textOf(readFields(one), 1),
    );
    const asked = namespaces ?? known;
    // containerd lists no images for an unknown namespace, which must not be reported as "none refused".
    const unknown = asked.find((namespace) => !known.includes(namespace));
    if (unknown !== undefined) throw new NoSuchNamespace(unknown, known);
    const images: NodeImage[] = [];
    for (const namespace of asked) {
      const answer = await callRaw(session, IMAGES, new Uint8Array(), { "containerd-namespace": namespace });
      images.push(...messages(answer).map((image) => imageOf(namespace, image)));
    }
    return images;
  });
}

/** The messages of a list, which is field 1 of both answers. */
function messages(answer: Uint8Array): readonly Uint8Array[] {
  return readAll(answer).flatMap(([number, value]) => (number === 1 ? [value] : []));
}

/** Image: name 1, target 3; Descriptor: media_type 1, digest 2. */
function imageOf(namespace: string, message: Uint8Array): NodeImage {
  const image = readFields(message);
  const target = readFields(image.get(3) ?? new Uint8Array());
  return { namespace, name: textOf(image, 1), digest: textOf(target, 2), mediaType: textOf(target, 1) };
}

type Named = Omit<NodeImage, "namespace">;

/** CRI also names an image by the digest of its configuration; no pull uses that name. */
const BARE_ID = /^sha256:[0-9a-f]{64}$/;

/**
 * Each image once, by each name that a pull could have: without CRI's bare ids, and without its second name
 * by digest if it has one by tag.
 */
export function pullable(
  images: readonly NodeImage[],
): readonly (Named & { readonly namespaces: readonly string[] })[] {
  const tagged = new Set(
    images.filter(({ name }) => !name.includes("@")).map(({ name, digest }) => `${repositoryOf(name)}@${digest}`),
  );
  const named = images.filter(
    ({ name, digest }) => !BARE_ID.test(name) && !(name.endsWith(`@${digest}`) && tagged.has(name)),
  );
  const once = new Map<string, Named & { namespaces: string[] }>();
  for (const { namespace, name, digest, mediaType } of named) {
    const key = `${name}\0${digest}`;
    const known = once.get(key);
    if (known === undefined) once.set(key, { name, digest, mediaType, namespaces: [namespace] });
    else known.namespaces.push(namespace);
  }
  return [...once.values()];
}

function repositoryOf(name: string): string {
  return name.replace(/:[^:/]*$/, "");
}
