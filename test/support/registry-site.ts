import { expect } from "vitest";
import { type Answered, enforcing, TestNode } from "./binary.ts";
import type { Override, RecordedRequest } from "./http-server.ts";
import { type Descriptor, SIGNATURE_TYPE, StandInRegistry } from "./stand-in-registry.ts";

/** So many that signers are found only through the registry. */
export const crowd = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);
export const [USER, SECRET] = ["user", "s3cret-of-the-registry"];
export const BASIC = `Basic ${Buffer.from(`${USER}:${SECRET}`).toString("base64")}`;
export const SIGNED = "0 allow signed";
export const UNAUTHORIZED = "2 inconclusive registry.unauthorized";

/** A world with a signed image, whose signature is found only through the registry. */
export class Site {
  readonly world: TestNode;
  readonly image: Descriptor;
  settings: Record<string, unknown> = {};
  env: Record<string, string> = { PATH: "/usr/bin:/bin" };

  constructor(world: TestNode, image: Descriptor) {
    this.world = world;
    this.image = image;
    world.policy(enforcing(...crowd, world.signer.did));
    this.sign(world.registry);
  }

  sign(registry: StandInRegistry): void {
    const annotations = { "io.atcr.atproto.did": this.world.signer.did };
    registry.attach("alice/app", this.image, { artifactType: SIGNATURE_TYPE, annotations });
  }

  /** @param network added to what may be contacted */
  async pull(network: object = {}, name = this.world.name): Promise<Answered> {
    const config = this.world.configure(
      { ...this.world.settings, ...this.settings, network: { allow: ["127.0.0.0/8"], ...network } },
      "site.yaml",
    );
    const env = { ...this.world.env, ...this.env, ATCR_VERIFY_CONFIG: config };
    const answered = await this.world.pull(name, this.image, { env });
    expect(answered.stdout + answered.stderr).not.toContain(SECRET);
    return answered;
  }

  /** A file of credentials, which the configuration names. */
  login(content: object, realms?: object): void {
    const file = this.world.write("auth/config.json", JSON.stringify(content), 0o600);
    this.settings = { ...this.settings, registryCredentials: { files: [file], ...(realms && { realms }) } };
  }

  /** Makes the registry require user and password. */
  loginToRegistry(realms?: object): void {
    const auth = Buffer.from(`${USER}:${SECRET}`).toString("base64");
    this.login({ auths: { [this.world.registry.authority]: { auth } } }, realms);
  }

  /** A registry of another origin, with the same certificates. */
  another(): Promise<StandInRegistry> {
    return StandInRegistry.start({ tls: this.world.authority.issue({ names: ["127.0.0.1"] }) });
  }

  /** certs.d of this node. */
  hosts(text: string, folder = this.world.registry.authority): void {
    this.world.write(`certs.d/${folder}/hosts.toml`, text);
  }
}

export async function onSite(test: (site: Site) => Promise<void>): Promise<void> {
  const world = await TestNode.start();
  try {
    await test(new Site(world, await world.image("image")));
  } finally {
    await world.stop();
  }
}

export const authorizations = (requests: readonly RecordedRequest[]) =>
  requests.map(({ headers }) => headers.authorization);
/** Gives a token in return for the password. */
export const tokenFor =
  (token: object): Override =>
  ({ request }) =>
    request.headers.authorization === BASIC ? { json: token } : { status: 401 };
export const challenge = (realm: string): Override => ({
  status: 401,
  headers: { "www-authenticate": `Bearer realm="${realm}",service="test",scope="repository:alice/app:pull,push"` },
});
/** Answers each request without this Authorization with the challenge. */
export function guard(registry: StandInRegistry, authorization: string, otherwise: Override): void {
  registry.override(
    (request) => request.path.startsWith("/v2/") && request.headers.authorization !== authorization,
    otherwise,
  );
}
