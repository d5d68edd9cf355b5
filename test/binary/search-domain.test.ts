import { join } from "node:path";
import { expect, it } from "vitest";
import { NameServer } from "../support/name-server.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { ProbeReport } from "./http-probe.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROBE = join(ROOT, "build/http-probe-search-domain");
const BUILD = "build --compile --minify --bytecode --format=esm --outfile";
const canBind = requirement("search domains", missingRoot("it is a name server, and mounts"));

it.runIf(canBind)("a name is asked as it is where the server of a search domain fails", async () => {
  const bun = join(ROOT, "node_modules/.bin/bun");
  const built = await run(bun, [...BUILD.split(" "), PROBE, join(import.meta.dirname, "http-probe.ts")]);
  expect(built.code, built.stderr).toBe(0);
  const names = await NameServer.start(77);
  for (const type of ["A", "AAAA"]) names.answers.set(`${type} good.example.search.example`, "server failure");
  names.answers.set("A good.example", ["10.0.0.1"]);
  const [command = "", ...args] = names.through(makeTemporaryDirectory("search-domain"), "options ndots:5\n");
  const job = JSON.stringify({ requests: [{ url: "https://good.example/" }, { url: "https://none.example/" }] });
  const { stdout, stderr } = await run(command, [...args, PROBE, job], { env: {} });
  names.stop();
  expect(stderr).toBe("");
  // The address shows that it was resolved; it is private, so nobody is contacted.
  const [found, missing] = (JSON.parse(stdout) as ProbeReport).results;
  expect(found).toMatchObject({ kind: "forbidden_address", message: expect.stringContaining("10.0.0.1") });
  expect(missing).toMatchObject({ kind: "unreachable" });
  expect(names.asked).toContain("A good.example.search.example");
});
