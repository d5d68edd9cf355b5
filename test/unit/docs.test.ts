import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { commandFiles, documents, sources, unlistedBounds, withTables } from "../../packaging/docs-tables.ts";
import type { VerificationKey } from "../../src/core/atproto/key.ts";
import type { Did, Tid } from "../../src/core/atproto/syntax.ts";
import { CONFIG_SHAPE } from "../../src/core/config/config-schema.ts";
import { parseConfig } from "../../src/core/config/parse-config.ts";
import { writeBundle } from "../../src/core/evidence/bundle.ts";
import { readClaim } from "../../src/core/evidence/claim.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import { readBreakGlass } from "../../src/core/policy/parse-break-glass.ts";
import { parsePolicy } from "../../src/core/policy/parse-policy.ts";
import { readServerBreakGlass } from "../../src/core/policy/parse-server-break-glass.ts";
import { POLICY_SHAPE } from "../../src/core/policy/policy-schema.ts";
import { select } from "../../src/core/policy/select.ts";
import { REJECTION_CODES, REJECTIONS } from "../../src/core/rejection.ts";
import { refusalOf } from "../../src/core/verify/answer.ts";
import { NO_HISTORY } from "../../src/core/verify/signer-history.ts";
import { WARNINGS } from "../../src/core/warning.ts";
import { identityJson } from "../../src/frontends/cli/terminal/identity-report.ts";
import { jsonReport } from "../../src/frontends/cli/verify/report-json.ts";
import { exitCode } from "../../src/frontends/process/exit-status.ts";
import { changedFiles, lineOf, listedLines, listedReasons, parseLine, shown } from "../mutation/survivors.ts";
import { withHostileTable } from "../support/hostile-peers.ts";
import { ABSENT, AUDITED, resultOf, SIGNED, summaryOf } from "../support/image-results.ts";

// What the documents say and the code knows is compared here, so that neither changes alone.

const ROOT = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const code = sources();
const spec = read("docs/spec.md");
const readme = read("README.md");
const policy = read("docs/reference/policy.md");
const configuration = read("docs/reference/configuration.md");
const cli = read("docs/reference/cli.md");
const bundles = read("docs/reference/bundles.md");

/** The text from one heading to the next of the same or a higher level. */
function section(text: string, heading: string): string {
  const start = text.indexOf(`\n${heading}\n`) + 1;
  expect(start, heading).toBeGreaterThan(0);
  const level = heading.indexOf(" ");
  // A comment in a block begins as a heading does.
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, (block) => " ".repeat(block.length));
  const end = new RegExp(`^#{1,${level}} `, "m").exec(prose.slice(start + heading.length));
  return text.slice(start, end === null ? undefined : start + heading.length + end.index);
}

/** Rows of the tables in a text as their cells; not heads and rules. */
function rows(text: string): readonly (readonly string[])[] {
  return text
    .split("\n")
    .filter((line, i, lines) => line.startsWith("|") && !isRule(line) && !isRule(lines[i + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

const isRule = (line: string | undefined): boolean => /^\|(?: *-{3,} *\|)+$/.test(line ?? "");

/** As `wc -w` counts them. */
const words = (text: string): number => text.split(/\s+/).filter((word) => word !== "").length;

/** What stands in backticks; not in blocks. */
const named = (text: string): readonly string[] =>
  Array.from(text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`([^`]+)`/g), ([, name = ""]) => name);

/** Names of all keys of a shape of src/core/policy/shape.ts, at any depth. */
function keysOf(shape: unknown): readonly string[] {
  if (typeof shape !== "object" || shape === null) return [];
  const { entries, ...rest } = shape as { entries?: Record<string, unknown> };
  const inner = Object.entries(entries ?? {}).flatMap(([key, value]) => [key, ...keysOf(value)]);
  const parts = ["pipe", "wrapped", "item", "value", "options"].map((name) => (rest as Record<string, unknown>)[name]);
  return [...inner, ...parts.flatMap((part) => (Array.isArray(part) ? part.flatMap(keysOf) : keysOf(part)))];
}

/** The last step of each path in the first column: `trustedDIDs.*.name` is `name`. */
const documentedKeys = (text: string): ReadonlySet<string> =>
  new Set(rows(text).flatMap(([key = ""]) => named(key).map((path) => path.split(".").at(-1) ?? "")));

describe("docs/spec.md", () => {
  it("is short enough to be read: 9,000 words", () => {
    expect(words(spec)).toBeLessThanOrEqual(9000);
  });

  it("lists the codes in their order, by kind and exit status, with their meaning", () => {
    const headings = new Set(
      REJECTION_CODES.map(
        (code) => `### Codes of ${REJECTIONS[code].kind}, exit status ${exitCode(refusalOf(code, ""))}`,
      ),
    );
    const listed = [...headings].flatMap((heading) => rows(section(spec, heading)).map((row) => [heading, ...row]));
    const expected = REJECTION_CODES.map((code) => {
      const { kind, summary } = REJECTIONS[code];
      return [`### Codes of ${kind}, exit status ${exitCode(refusalOf(code, ""))}`, `\`${code}\``, summary];
    });
    expect(listed).toEqual(expected);
  });

  it("has a section for every number that the code cites", () => {
    const sections = [...spec.matchAll(/^(?:## |\*\*)(\d(?:\.\d)?)(?:\*\*)? /gm)].map(([, number]) => number);
    const cited = [...code.values()].flatMap((text) =>
      [...text.matchAll(/\bspec (\d(?:\.\d)?)(?: to (\d\.\d))?/g)].flatMap(([, first, last]) => [first, last ?? first]),
    );
    expect(cited.length).toBeGreaterThan(50);
    expect(cited.filter((number) => !sections.includes(number))).toEqual([]);
  });
});

describe("docs/reference", () => {
  it("lists the codes of warnings in their order, with their meanings", () => {
    const expected = Object.entries(WARNINGS).map(([name, meaning]) => [`\`${name}\``, meaning]);
    expect(rows(section(read("docs/reference/log-and-metrics.md"), "## Warnings"))).toEqual(expected);
  });

  it.each([
    ["policy.md", policy, POLICY_SHAPE],
    ["configuration.md", configuration, CONFIG_SHAPE],
  ])("names every key of the file in %s", (_, text, shape) => {
    const keys = keysOf(shape);
    expect(keys.length).toBeGreaterThan(8);
    const documented = documentedKeys(text);
    expect(keys.filter((key) => !documented.has(key))).toEqual([]);
  });

  it("lists the findings of policy check, with their severities, and no others", () => {
    const listed = rows(section(policy, "## Findings of policy check")).filter(([, severity = ""]) =>
      /^(error|warning)/.test(severity),
    );
    const names = listed.map(([name = ""]) => named(name)[0] ?? "");
    const checks = [...code].filter(([file]) =>
      /\/(lint[\w-]*|policy-check|check-signers|policy-source)\.ts$/.test(file),
    );
    const found = checks.flatMap(([, text]) =>
      Array.from(text.matchAll(/"([a-z]+(?:-[a-z]+)+)"/g), ([, name = ""]) => name),
    );
    const options = ["sandbox-image", "no-sandbox"];
    expect(names.length).toBeGreaterThan(20);
    expect([...new Set(found)].filter((name) => !options.includes(name)).toSorted()).toEqual(names.toSorted());
  });

  it("names every key of the JSON outputs and of the bundle", () => {
    const digest = `sha256:${"0".repeat(64)}` as Digest;
    const signer = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;
    const fetched = { url: "", bytes: new Uint8Array(), fetchedAt: 0 };
    const place = { file: "", line: 1, column: 1, lineText: "" };
    const invalid = { outcome: "misconfigured", code: "policy.invalid", detail: "", place } as const;
    const everything = [
      resultOf(SIGNED, {
        requests: [
          { purpose: "", method: "GET", url: "", cached: false, at: 0, status: 200, failure: "tls", ms: 0, bytes: 0 },
        ],
        inspected: { name: { host: "", path: "" }, signers: [], unknown: [], notAsked: [], gaps: [], now: 0 },
      }),
      resultOf(AUDITED, { requested: { text: "", places: [{ file: "", line: 1 }] } }),
      resultOf(ABSENT),
    ];
    const more = {
      signers: [{ asked: "", did: signer }],
      found: [{ file: "", images: 1, kinds: [{ kind: "", images: 1 }], passedOver: [{ what: "", count: 1 }] }],
      warnings: [{ code: "cache.unusable", message: "" }],
    } as const;
    const json = [
      jsonReport(everything, summaryOf(everything, more)),
      jsonReport([resultOf(invalid)], summaryOf([resultOf(invalid)], more)),
    ];
    const evidence = {
      pointers: [{ signer, url: "", note: "" }],
      signatures: [{ signer, identity: fetched, record: fetched, tag: fetched }],
      gaps: [{ service: "pds", signer, code: "pds.unreachable", detail: "" }],
      owner: { handle: "", did: signer, source: "", fetchedAt: 0 },
    } as const;
    const bundle = new TextDecoder().decode(
      writeBundle({ gatheredAt: 1000, images: [{ digest, names: [], evidence }] }),
    );
    const undocumented = (text: string, documented: string) => {
      const names = named(documented).map((name) => name.replace("[]", ""));
      return [...text.matchAll(/"(\w+)":/g)].map(([, key]) => key ?? "").filter((key) => !names.includes(key));
    };
    expect(json.flatMap((text) => undocumented(text, section(cli, "## verify") + section(cli, "## inspect")))).toEqual(
      [],
    );
    expect(undocumented(bundle, section(bundles, "## The format"))).toEqual([]);

    const state = { rotationKeys: [""], signingKey: "", pds: "", alsoKnownAs: [], services: [{ id: "", type: "" }] };
    const entry = { cid: "", prev: null, createdAt: 0, nullified: false, signedBy: "", state };
    const { services } = state;
    const key = { didKey: "" } as VerificationKey;
    const current = {
      did: signer,
      key,
      keySince: 0,
      formerKeys: new Set<string>(),
      pds: "",
      handles: [],
      checks: [],
      services,
    };
    const memory = { ...NO_HISTORY, keys: new Map([["", 0]]), rev: "3ktn4qjakfk2a" as Tid };
    const found = { asked: "b", fetched, memory, minKeyAge: "", youngest: 0, now: 0 };
    const proof = { did: signer, history: [entry], current };
    const identities = [
      identityJson({ ...found, proof, handle: { handle: "b", did: signer, source: "", fetchedAt: 0 } }),
      identityJson({ ...found, proof, handle: { handle: "b", missing: "" } }),
    ];
    expect(identities.flatMap((text) => undocumented(text, section(cli, "## identity")))).toEqual([]);
  });
});

describe("docs/decisions", () => {
  it.each(readdirSync(join(ROOT, "docs/decisions")))("%s begins with what was decided, in one sentence", (name) => {
    const [title = "", , sentence = "", next] = read(`docs/decisions/${name}`).split("\n");
    expect(title).toMatch(new RegExp(`^# ${name.slice(0, 4)} `));
    expect(sentence).toMatch(/^\*\*[^.]+(?:\.(?! )[^.]+)*\.\*\*$/);
    expect(words(sentence)).toBeLessThanOrEqual(40);
    expect(next).toBe("");
  });
});

describe("docs/signing.md", () => {
  it("shows a record that counts", () => {
    const [, text = ""] = /```json\n([\s\S]*?)```/.exec(read("docs/signing.md")) ?? [];
    const record = new Map(Object.entries(JSON.parse(text) as Record<string, string | number>));
    const claim = readClaim(record.get("digest") as Digest, record);
    expect(claim).toMatchObject({ repository: "app", mediaType: "application/vnd.oci.image.index.v1+json" });
  });
});

describe("policies and break-glass files in documents", () => {
  const shown = documents().flatMap((file) =>
    Array.from(read(file).matchAll(/^```yaml\n([\s\S]*?)^```$/gm), ([, text = ""]) => [file, text] as const),
  );
  const policies = shown.filter(([, text]) => /^version:/m.test(text));
  const configuration = shown.filter(([, text]) => /^bundleKeys:/m.test(text));
  const servers = shown.filter(([, text]) => /^server:/m.test(text));
  const breakGlass = shown.filter(([, text]) => /^until:/m.test(text) && !/^from:/m.test(text));
  const serverBreakGlass = shown.filter(([, text]) => /^from:/m.test(text));
  const steps = shown.filter(([, text]) => /^ {2}uses:/m.test(text));

  it.each(policies)("are valid in %s", (file, text) => {
    expect(parsePolicy(text, file).rules.length).toBeGreaterThan(0);
  });

  it.each(breakGlass)("are valid in %s: break-glass", (file, text) => {
    expect(readBreakGlass(text, file).reason).toContain("INC-1234");
  });

  it.each(serverBreakGlass)("are valid in %s: break-glass of a server", (file, text) => {
    expect(readServerBreakGlass(text, file).reason).toContain("INC-1234");
  });

  it("are beside a configuration, in the page about air gaps", () => {
    expect(parseConfig(configuration[0]?.[1] ?? "", "config.yaml")).toMatchObject({ offline: true });
  });

  it.each(servers)("are beside a configuration of a server in %s", (file, text) => {
    expect(parseConfig(text, file).server?.listeners.length).toBeGreaterThan(0);
  });

  it("are beside a step of GitHub, which gives the action the inputs that it has", () => {
    const [step] = parse(steps[0]?.[1] ?? "") as [{ readonly with: object }];
    const action = parse(read("integrations/github/action.yml")) as { readonly inputs: object };
    expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(Object.keys(step.with)));
  });

  it("are all that is shown as YAML", () => {
    const known = [...policies, ...breakGlass, ...serverBreakGlass, ...configuration, ...servers, ...steps];
    const other = shown.filter((one) => !known.includes(one));
    expect(other).toEqual([]);
    expect([policies, breakGlass, configuration, steps].map(({ length }) => length)).toEqual([3, 1, 1, 1]);
    expect([servers.length, serverBreakGlass.length]).not.toContain(0);
  });
});

describe("docs/assurance.md", () => {
  it("gives the reasons under which surviving mutants are listed", () => {
    const reasons = section(read("docs/assurance.md"), "## Surviving mutants").matchAll(/^### (.*)$/gm);
    expect(Array.from(reasons, ([, reason]) => reason)).toEqual(listedReasons());
  });
});

describe("test/mutation/survivors.md", () => {
  it("lists mutants of functions and text that are there", () => {
    const files = changedFiles();
    const listed = listedLines();
    expect(listed.length).toBeGreaterThan(50);
    for (const line of listed) {
      const mutation = parseLine(line) ?? expect.fail(`cannot be read: ${line}`);
      expect(line.startsWith(lineOf(mutation)), line).toBe(true);
      const { file, within, original } = mutation;
      const [, body = ""] = read(files.get(file) ?? expect.fail(line)).split(
        new RegExp(`\\b(?:function\\*?|const|class) [[{]?${within}\\b`),
      );
      expect(shown(body, Number.POSITIVE_INFINITY), line).toContain(original.replace(/…$/, ""));
    }
  });
});

describe("what documents take from the code", () => {
  it("has a row for every bound", () => {
    expect(unlistedBounds(documents().map(read), code)).toEqual([]);
  });

  it.each(documents())("is in %s as `make format` writes it", (document) => {
    expect(withTables(read(document), code)).toBe(read(document));
  });
});

describe("what shells and the manual page take from the table of commands", () => {
  it.each([...commandFiles()])("is in %s as `make format` writes it", (file, text) => {
    expect(read(file)).toBe(text);
  });
});

describe("what hostile peers bring about", () => {
  it("stands in docs/assurance.md as it is tested: `make format` writes it there", () => {
    expect(withHostileTable(read("docs/assurance.md"))).toBe(read("docs/assurance.md"));
  });
});

describe("README.md", () => {
  it("is short enough to be read: 1,500 words", () => {
    expect(words(readme)).toBeLessThanOrEqual(1500);
  });

  it("has a policy that is valid, and enforces and exempts what it says", () => {
    const [, text = ""] = /```yaml\n(version:[\s\S]*?)```/.exec(readme) ?? [];
    const minimal = parsePolicy(text, "README.md");
    const digest = `sha256:${"0".repeat(64)}` as Digest;
    const kind = (name: string) => select(minimal, parseReference(name), digest).kind;
    expect(kind("atcr.io/alice.example.com/app:v1")).toBe("judge");
    expect(kind("registry.k8s.io/pause:3.10")).toBe("exempt");
    expect(kind("docker.io/library/nginx")).toBe("no_match");
  });
});
