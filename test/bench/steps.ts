/**
 * What each synchronous step costs at its cap: `make bench`, or `BUN_JSC_useJIT=0 bun test/bench/steps.ts [RUNS]`.
 *
 * While such a step runs, nothing else does, the watchdog included: so the largest input that its cap lets through
 * must not take long. Each run is a process of its own, with the sources instead of the compiled program, under the
 * same Bun and without just-in-time compilation, as a pull that asks the network runs. Peak memory is what the kernel
 * counted; the first row is a process that does nothing, whose memory the others have as well.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { padded } from "../support/forged-proof.ts";
import { MANIFEST_COLLECTION } from "../support/signed-repo.ts";
import { Signer } from "../support/signer.ts";
import { signingKey } from "../support/signing-key.ts";
import { spread } from "./figures.ts";

declare const Bun: {
  spawn(command: string[], options: { stdout: "pipe" }): { readonly stdout: ReadableStream };
};

const KIB = 1024;
const MIB = 1024 * KIB;
const DIGEST = `sha256:${"ab".repeat(32)}`;
/** What a step is given, as a file: a signer's DID, and bytes. */
interface Input {
  readonly did?: string;
  readonly bytes: Uint8Array;
}
interface Step {
  readonly name: string;
  readonly input: () => Promise<Input> | Input;
  /** Imports what it needs, and is then measured. A rejection is an outcome like another. */
  readonly load: () => Promise<(bytes: Uint8Array, did: string) => unknown>;
}

const at = Date.now() - 86_400_000;
const text = (written: string): Input => ({ bytes: Buffer.from(written) });
const signerWith = (options: object) =>
  Signer.create({ seed: "steps", pds: "https://pds.example.com", at, ...options });
const dids = (count: number) =>
  Array.from(
    { length: count },
    (_, i) =>
      `did:plc:${i
        .toString(4)
        .replace(/[0-3]/g, (d) => "abcd"[Number(d)] ?? "")
        .padStart(24, "e")}`,
  );
const policyOf = (signers: number, rules: number): Input => {
  const trusted = dids(signers)
    .map((did) => `  - ${did}\n`)
    .join("");
  const all = Array.from({ length: rules }, (_, i) => `  - {name: r${i}, scope: "h.example/r${i}", action: enforce}\n`);
  return text(`version: 1.0\ntrustedDIDs:\n${trusted}policies:\n${all.join("")}`);
};
const yaml = async () => {
  const { YamlFile } = await import("../../src/core/encoding/yaml.ts");
  return (bytes: Uint8Array) => new YamlFile(new TextDecoder().decode(bytes), "policy.yaml", "policy.invalid").value;
};
const json = async () => {
  const { parseJson } = await import("../../src/core/encoding/json.ts");
  return (bytes: Uint8Array) => parseJson(bytes, "bundle.malformed", "it");
};
const policy = async () => {
  const { parsePolicy } = await import("../../src/core/policy/parse-policy.ts");
  return (bytes: Uint8Array) => parsePolicy(new TextDecoder().decode(bytes), "policy.yaml");
};
const identity = async () => {
  const { readIdentity } = await import("../../src/core/atproto/identity.ts");
  return (bytes: Uint8Array, did: string) => readIdentity(did as Signer["did"], bytes);
};

const encode = async () => {
  const { imageToBytes } = await import("../../src/core/evidence/bundled-image.ts");
  return (bytes: Uint8Array) => {
    const fetched = { url: "https://pds.example.com", fetchedAt: at, bytes };
    const signatures = [{ signer: dids(1)[0], identity: fetched }];
    const image = { digest: DIGEST, names: [], evidence: { pointers: [], signatures, gaps: [] } };
    return imageToBytes(image as unknown as Parameters<typeof imageToBytes>[0]);
  };
};

const STEPS: readonly Step[] = [
  { name: "nothing", input: () => text(""), load: async () => () => undefined },
  {
    name: "proof of 2 MiB, of 1,000 blocks that nothing links to",
    input: async () => {
      const signer = await signerWith({});
      await signer.sign(DIGEST, "app", at + 1);
      return { did: signer.key.did(), bytes: await padded(await signer.proof(DIGEST), 2 * MIB) };
    },
    load: async () => {
      const { proveRecord } = await import("../../src/core/atproto/record-proof.ts");
      const { parseDidKey } = await import("../../src/core/atproto/key.ts");
      const { did } = await signerWith({ others: 0 });
      return (bytes, key) =>
        proveRecord(
          { did, key: parseDidKey(key), formerKeys: new Set() } as unknown as Parameters<typeof proveRecord>[0],
          bytes,
          `${MANIFEST_COLLECTION}/${DIGEST.slice(7)}`,
        );
    },
  },
  {
    name: "log with 250 p256 rotation keys (replayed in 250 steps)",
    input: async () => {
      const rotationKeys = Array.from({ length: 250 }, (_, i) => signingKey("p256", `rotation ${i}`));
      const { did, log } = await signerWith({ rotationKeys, others: 0 });
      return { did, bytes: log.bytes() };
    },
    load: identity,
  },
  {
    name: "log of one operation, whose signature takes 500 KiB",
    input: async () => {
      const { did, log } = await signerWith({ others: 0 });
      const entries = JSON.parse(new TextDecoder().decode(log.bytes())) as { operation: { sig: string } }[];
      for (const { operation } of entries) operation.sig = "A".repeat(500 * KIB);
      return { did, bytes: Buffer.from(JSON.stringify(entries)) };
    },
    load: identity,
  },
  { name: "JSON of 1 MiB, nested", input: () => text("[".repeat(MIB / 2) + "]".repeat(MIB / 2)), load: json },
  { name: "JSON of 1 MiB, flat", input: () => text(`[${"{},".repeat(MIB / 3 - 10)}0]`), load: json },
  { name: "policy of 10,000 signers, one rule", input: () => policyOf(10_000, 1), load: policy },
  { name: "policy of 10,000 signers, 1,000 rules", input: () => policyOf(10_000, 1000), load: policy },
  ...["[", "a: ", "- ", "\n", "{a: ", "? "].map((part) => ({
    name: `YAML of 1 MiB, ${JSON.stringify(part)} again and again`,
    input: () => text(part.repeat(MIB / part.length)),
    load: yaml,
  })),
  {
    name: "evidence of 2 MiB, encoded",
    input: () => ({ bytes: Buffer.alloc(2 * MIB, 7) }),
    load: encode,
  },
  {
    name: "evidence of 256 KiB, encoded",
    input: () => ({ bytes: Buffer.alloc(256 * KIB, 7) }),
    load: encode,
  },
  {
    name: "CBOR block of 128 KiB, nested",
    input: () => ({ bytes: Buffer.from([...new Uint8Array(128 * KIB - 1).fill(0x81), 0x80]) }),
    load: async () => {
      const { decodeDagCbor } = await import("../../src/core/encoding/dag-cbor.ts");
      return (bytes) => decodeDagCbor(bytes, "record.malformed", "it");
    },
  },
];

interface Ran {
  readonly took: number;
  readonly outcome: string;
  readonly peak: number;
}

const [, , first = "15", folder = ""] = process.argv;
if (folder === "") await measureAll(Number(first));
else await runStep(STEPS[Number(first)] as Step, folder);

/** In a process of its own: prints how many milliseconds of CPU the step took, and the most KiB that were resident. */
async function runStep({ load }: Step, place: string): Promise<void> {
  const bytes = new Uint8Array(readFileSync(join(place, "bytes")));
  const did = readFileSync(join(place, "did"), "utf8");
  const work = await load();
  const before = process.cpuUsage();
  let outcome = "done";
  try {
    work(bytes, did);
  } catch (error) {
    outcome = String((error as { code?: unknown }).code ?? error);
  }
  const { user, system } = process.cpuUsage(before);
  const took = (user + system) / 1000;
  const [, peak] = /^VmHWM:\s*([0-9]+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  console.log(JSON.stringify({ took, outcome, peak: Number(peak) } satisfies Ran));
}

async function measureAll(runs: number): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), "atcr-steps-"));
  console.log(`Synchronous steps at their caps, ${runs} runs each; median (min, max)`);
  try {
    for (const [nth, step] of STEPS.entries()) {
      const { did = "", bytes } = await step.input();
      writeFileSync(join(place, "bytes"), bytes);
      writeFileSync(join(place, "did"), did);
      const [times, peaks, outcomes] = [[] as number[], [] as number[], new Set<string>()];
      for (let run = 0; run < runs; run++) {
        const child = Bun.spawn([process.execPath, import.meta.filename, String(nth), place], { stdout: "pipe" });
        const { took, outcome, peak } = JSON.parse(await new Response(child.stdout).text()) as Ran;
        times.push(took);
        peaks.push(peak / KIB);
        outcomes.add(outcome);
      }
      console.log(
        `${step.name.padEnd(62)}${`${spread(times)} ms CPU`.padEnd(34)}${`${spread(peaks)} MiB`.padEnd(30)}${[...outcomes].join(" or ")}`,
      );
    }
  } finally {
    rmSync(place, { recursive: true });
  }
}
