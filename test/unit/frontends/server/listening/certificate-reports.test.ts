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
    for (const _ of [1, 2]) reports.report(FILES, false, "broken");
    reports.report(OTHERS, true, "read");
    for (const _ of [1, 2]) reports.report(FILES, true, "mended");
    reports.report(FILES, false, "broken");
    expect(said).toEqual(["broken", "read", "mended", "broken"]);
    expect(counted).toEqual(["false false", "false false", "true false", "true true", "true true", "false false"]);
  });

  it("warns once of what is wrong at the start", () => {
    for (const _ of [1, 2]) reports.warn("ended");
    expect(said.slice(4)).toEqual(["ended"]);
  });
});
