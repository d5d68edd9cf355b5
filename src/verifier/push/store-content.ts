import type { Stored } from "../../core/oci/stored.ts";
import type { RegistryAnswer, RegistryClient } from "../../io/registry/client.ts";
import { badStatus, UnavailableError } from "../collect/context.ts";
import { accepted } from "../collect/registry-host.ts";

/** Bytes of a registry's answer to what is stored: none, or an error. */
const MAX_ANSWER = 64 * 1024;
const JSON_TYPE = "application/json";
const BYTES_TYPE = "application/octet-stream";
const REQUEST = { accept: JSON_TYPE, maxBytes: MAX_ANSWER, maxRedirects: 0 } as const;

/**
 * Stores a blob, whole, where it is not there already (OCI distribution spec 1.1, "Pushing a blob monolithically").
 *
 * @throws UnavailableError
 */
export async function pushBlob(client: RegistryClient, { bytes, descriptor }: Stored): Promise<void> {
  const there = await client.get(client.urlOf(`blobs/${descriptor.digest}`), {
    ...REQUEST,
    method: "HEAD",
    maxRedirects: 1,
  });
  if (there.response.status === 200) return;
  const begun = await client.get(client.urlOf("blobs/uploads/"), {
    ...REQUEST,
    upload: { method: "POST", bytes: new Uint8Array(0), type: BYTES_TYPE },
  });
  mustBe(begun, [202]);
  const place = placeOf(begun, client);
  place.searchParams.set("digest", descriptor.digest);
  const upload = { method: "PUT", bytes, type: BYTES_TYPE } as const;
  mustBe(await client.get(place.href, { ...REQUEST, upload }), [201]);
}

/**
 * Stores a manifest.
 *
 * @param reference a digest or a tag
 * @param replaces as in an Upload
 * @returns undefined where `replaces` does not hold
 * @throws UnavailableError
 */
export async function pushManifest(
  client: RegistryClient,
  reference: string,
  { bytes, descriptor }: Stored,
  replaces?: string,
): Promise<RegistryAnswer | undefined> {
  const upload = {
    method: "PUT",
    bytes,
    type: descriptor.mediaType,
    ...(replaces !== undefined && { replaces }),
  } as const;
  const answer = await client.get(client.urlOf(`manifests/${reference}`), { ...REQUEST, upload });
  if (replaces !== undefined && answer.response.status === 412) return undefined;
  mustBe(answer, [201]);
  return answer;
}

/**
 * Removes a manifest.
 *
 * @returns whether it is gone; many registries do not allow that
 * @throws UnavailableError where there is no answer
 */
export async function removeManifest(client: RegistryClient, digest: string): Promise<boolean> {
  const upload = { method: "DELETE", bytes: new Uint8Array(0), type: BYTES_TYPE } as const;
  const { status } = (await client.get(client.urlOf(`manifests/${digest}`), { ...REQUEST, upload })).response;
  return [200, 202, 204, 404].includes(status);
}

/** @throws UnavailableError */
function mustBe(answer: RegistryAnswer, expected: readonly number[]): void {
  if (expected.includes(answer.response.status)) return;
  accepted(answer);
  badStatus("registry", answer.response, answer.said, answer.host);
}

/**
 * Where the registry wants the content. What it names must be at its own host: content and credentials are sent nowhere
 * else. Behind a proxy, a registry may write `http:` although it is reached by https.
 *
 * @throws UnavailableError
 */
function placeOf({ response, host }: RegistryAnswer, client: RegistryClient): URL {
  const own = new URL(client.endpoint.root);
  const location = response.headers.get("location");
  const place = location === undefined ? null : URL.parse(location, response.url);
  if (place === null) throw new UnavailableError("registry.bad_response", `${host} does not say where to upload`);
  if (place.host !== own.host || place.username !== "" || place.password !== "") {
    const detail = `${host} wants an upload at another host, ${client.nameHost(place.href)}, which is not followed`;
    throw new UnavailableError("registry.bad_response", detail);
  }
  place.protocol = own.protocol;
  return place;
}
