import { describe, expect, it } from "vitest";
import { CertificateReports } from "../../../../../src/frontends/server/listening/certificate-reports.ts";

const FILES = { certFile: "/t/tls.crt", keyFile: "/t/tls.key" };
const OTHERS = { ...FILES, clientCaFile: "/t/ca.crt" };

describe("CertificateReports", () => {
  const said: string[] = [];
  const counted: string[] = [];
  const reports = new CertificateReports(
    (isUsed, areAllUsed) => counted.push(`${isUsed} ${areAllUsed}`),
    (text) => said.push(text),
  );

  it("says once what listeners with the same files see, and counts as mended only what all can use", () => {
    for (const files of [FILES, FILES, OTHERS]) reports.report(files, false, "broken");
    reports.report(OTHERS, true, "mended");
    expect([said, counted.at(-1)]).toEqual([["broken", "mended"], "true false"]);
    reports.report(FILES, true, "mended");
    expect([said.length, counted.at(-1)]).toEqual([2, "true true"]);
    reports.report(FILES, false, "broken");
    expect([said.length, counted.at(-1)]).toEqual([3, "false false"]);
  });

  it("warns once of what is wrong at the start", () => {
    for (const _ of [1, 2]) reports.warn("ended");
    expect(said.slice(3)).toEqual(["ended"]);
  });
});
