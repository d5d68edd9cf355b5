import { bundleSince, writeBundle } from "../../src/core/evidence/bundle.ts";
import type { Evidence } from "../../src/core/evidence/evidence.ts";
import type { Witness } from "../../src/core/evidence/outside.ts";
import { digestHex } from "../../src/core/oci/digest.ts";
import { BORN, DIGEST, digestOf, imageOf, NOW, SIGNED, type TestSigner } from "../support/evidence.ts";
import { signingKey } from "../support/signing-key.ts";
import { alice, bob, deny, trusting, unknown, type VectorCase } from "./cases.ts";

// Evidence from outside: when it counts, and what in it needs somebody who answers for it (docs/reference/bundles.md).

const [MINUTE, DAY] = [60_000, 24 * 60 * 60_000];
const OFFLINE = "offlineFor: 30d";
const iso = (ms: number) => new Date(ms).toISOString();

interface Gathered {
  readonly witness: Witness["kind"];
  /** Milliseconds since 1970. */
  readonly now?: number;
  readonly gatheredAt?: number;
  readonly name?: string;
  /** Evidence of another image in the same bundle. */
  readonly beside?: Partial<Evidence>;
}

/** The same case, from outside. */
function outside(one: VectorCase, { witness, now = NOW, gatheredAt = NOW, name, beside }: Gathered): VectorCase {
  const others = beside === undefined ? [] : [imageOf(beside, digestOf("another image"))];
  const bundle = bundleSince(gatheredAt, [imageOf(one.evidence), ...others]);
  const lines = new TextDecoder().decode(writeBundle(bundle)).trimEnd().split("\n");
  const changes = { witness, now: iso(now), bundle: lines.map((line) => JSON.parse(line)), ...(name && { name }) };
  return { ...one, changes };
}

function allow(title: string, description: string, policy: string, evidence: Partial<Evidence>): VectorCase {
  return { title: `allow.${title}`, description, expected: { outcome: "allow", because: "signed" }, evidence, policy };
}

export async function outsideCases(): Promise<readonly VectorCase[]> {
  const [plain, web, other] = [await alice(), await alice({ method: "web" }), await bob()];
  const of = async (who: TestSigner) => ({ signatures: [await who.evidence()] });
  const require = OFFLINE;
  const pinned = `{ keys: ["${web.key.did()}"] }`;
  const owner = { handle: "alice.test", did: plain.did, source: "dns:_atproto.alice.test", fetchedAt: NOW };
  const owned = { ...(await of(plain)), owner };
  const onAtcr = trusting([plain], { require, scope: "atcr.io/**" });
  const name = "atcr.io/alice.test/app:v1";
  const deleted = await alice();
  const before = await deleted.evidence();
  await deleted.repo.delete("io.atcr.manifest", digestHex(DIGEST), SIGNED + DAY);
  const rotated = await alice();
  const old = await of(rotated);
  const next = signingKey("k256", "alice, next");
  await rotated.log.update({ signingKey: next }, { at: BORN + DAY, signer: rotated.rotationKey });
  const beside = { signatures: [{ signer: rotated.did, identity: rotated.identity() }] };
  const aged = trusting([web], { require: `${require}, minKeyAge: 72h` });
  return [
    outside(
      allow(
        "outside",
        "The window counts from the bundle's time, and ends now.",
        trusting([plain], { require }),
        await of(plain),
      ),
      {
        witness: "none",
        now: NOW + 30 * DAY,
      },
    ),
    outside(
      unknown("bundle.expired", "The window ended a second ago.", trusting([plain], { require }), await of(plain)),
      {
        witness: "seal",
        now: NOW + 30 * DAY + 1000,
      },
    ),
    outside(unknown("bundle.not_accepted", "The rule has no offlineFor.", trusting([plain]), await of(plain)), {
      witness: "seal",
    }),
    outside(
      unknown(
        "bundle.not_accepted.empty",
        "The rule has no offlineFor, and the bundle says of nobody that they signed.",
        trusting([plain]),
        {},
      ),
      { witness: "none" },
    ),
    outside(
      unknown(
        "bundle.not_accepted.future",
        "The bundle is dated more than five minutes ahead.",
        trusting([plain], { require }),
        await of(plain),
      ),
      { witness: "none", gatheredAt: NOW + 6 * MINUTE },
    ),
    outside(
      unknown(
        "commit.from_future.outside",
        "The commit is more than five minutes younger than the bundle.",
        trusting([plain], { require }),
        await of(plain),
      ),
      { witness: "seal", gatheredAt: SIGNED - 6 * MINUTE },
    ),
    outside(
      allow(
        "outside.web",
        "Somebody answers for the document of a did:web.",
        trusting([web], { require }),
        await of(web),
      ),
      {
        witness: "seal",
      },
    ),
    outside(
      unknown(
        "identity.unreachable.outside",
        "Nobody answers for the document of a did:web.",
        trusting([web], { require }),
        await of(web),
      ),
      { witness: "none" },
    ),
    outside(
      allow(
        "outside.web_pinned",
        "The policy pins the key of the did:web.",
        trusting([web], { require, about: pinned }),
        await of(web),
      ),
      { witness: "none" },
    ),
    outside(
      deny(
        "identity.key_too_young.outside",
        "The key of a did:web has no date, and this node sees it first.",
        aged,
        await of(web),
      ),
      { witness: "seal" },
    ),
    outside(allow("outside.owner", "Root imported whose the handle is.", onAtcr, owned), { witness: "import", name }),
    outside(unknown("handle.unreachable.outside", "Nobody answers for whose the handle is.", onAtcr, owned), {
      witness: "none",
      name,
    }),
    outside(
      deny(
        "signature.none.outside",
        "The bundle has the record, and the proof that it was deleted later.",
        trusting([deleted], { require }),
        {
          signatures: [before, await deleted.evidence()],
        },
      ),
      { witness: "seal" },
    ),
    outside(
      deny(
        "commit.superseded_key.outside",
        "Another image of the bundle has a newer log, with another key.",
        trusting([rotated], { require }),
        old,
      ),
      { witness: "seal", beside },
    ),
    outside(
      allow(
        "outside.stranger",
        "The bundle also has evidence of a signer whom the rule does not trust.",
        trusting([plain], { require }),
        {
          signatures: [await plain.evidence(), await other.evidence()],
        },
      ),
      { witness: "none" },
    ),
  ];
}
