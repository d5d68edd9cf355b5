import type { Signer } from "../support/signer.ts";
import { HANDLES, type PulledImage, type Services } from "./services.ts";

/** A pull at containerd's gate, on a node of its own. */
export interface GateCase {
  readonly name: string;
  readonly image: PulledImage;
  readonly trusted: readonly string[];
  /** Of the one rule, which covers the image's repository. */
  readonly action: "enforce" | "allow";
  /** What the rule requires beside a signature. */
  readonly require?: string;
  /** Images that the node was asked about before, from which it has its cache. */
  readonly before: readonly PulledImage[];
  /** Exit status. */
  readonly expected: 0 | 1;
  /** A handle is resolved, by a name server that only this pull sees. */
  readonly resolvesHandle?: true;
}

/** Asked about it, a node remembers configuration and policy, and asks nobody: no rule covers it. */
const UNCOVERED: PulledImage = { name: "127.0.0.1:1/other/app", digest: `sha256:${"0".repeat(64)}` };

/**
 * Every case of containerd's gate, one entry each: `make bench` measures them, `make bench-compare` compares two
 * programs by them. Those that resolve a handle are left out where the services have no name server.
 *
 * @returns with them, the signer of the case "verified, cold"
 */
export async function gateCases(
  services: Services,
): Promise<{ readonly cases: readonly GateCase[]; readonly signer: Signer }> {
  const { registry, simple, atcr } = services;
  const signer = await services.signer("bench");
  const { did } = signer;
  const referred = { by: signer, referrer: did };
  const signed = await services.image(registry, "team/app", "signed", referred);
  const unsigned = await services.image(registry, "team/app", "unsigned");
  const another = await services.image(registry, "team/app", "another", referred);
  // More signers than are asked directly. None of these has a log.
  const strangers = Array.from("abcdefghijklmnop", (letter) => `did:plc:${letter}`.padEnd(32, "a"));

  const byWeb = await services.image(registry, "web/app", "by web");
  const web = await services.signedByWeb(byWeb);

  const owner = await services.signer("owner", HANDLES.byDns);
  const owned = await services.image(atcr, `${HANDLES.byDns}/app`, "owned", { by: owner, referrer: owner.did });
  services.resolve(HANDLES.byDns, owner);
  const hosted = await services.signer("hosted", HANDLES.byHost);
  const unreferred = await services.image(atcr, `${HANDLES.byHost}/app`, "unreferred", { by: hosted });
  services.resolve(HANDLES.byHost, hosted);

  // Cold: the node has pulled images of others under this policy.
  const one = { image: signed, trusted: [did], action: "enforce", before: [UNCOVERED], expected: 0 } as const;
  const refused = { ...one, image: unsigned, expected: 1 } as const;
  const byHandle = { ...one, require: "owner: match", resolvesHandle: true } as const;
  const cases: readonly GateCase[] = [
    { ...one, name: "exempt by a rule", action: "allow" },
    { ...one, name: "verified, first of a node", before: [] },
    { ...one, name: "verified, cold" },
    { ...one, name: "verified, signer known", before: [another] },
    { ...one, name: "verified, 17 signers", trusted: [did, ...strangers] },
    { ...one, name: "verified, did:web", image: byWeb, trusted: [web] },
    { ...byHandle, name: "verified, owner: match", image: owned, trusted: [owner.did] },
    { ...byHandle, name: "verified, 17 by handle", image: unreferred, trusted: [...strangers, hosted.did] },
    { ...refused, name: "unsigned, refused" },
    { ...refused, name: "unsigned, signer known", before: [another] },
    { ...refused, name: "unsigned, tag fallback", image: await services.image(simple, "team/app", "unsigned") },
    { ...one, name: "pulled again", before: [signed] },
  ];
  const isThere = ({ resolvesHandle }: GateCase) => resolvesHandle !== true || services.names !== undefined;
  return { cases: cases.filter(isThere), signer };
}
