import { describe, expect, it } from "vitest";
import { checkServicesOf } from "../../../src/doctor/cluster-service.ts";
import { HttpFailure } from "../../../src/io/net/exchange.ts";
import { webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import {
  configuration,
  denied,
  list,
  type Objects,
  PATHS,
  standInCluster,
  webhook,
} from "../../support/stand-in-cluster.ts";

const OWN = webhooksOf(configuration(webhook(), webhook({ name: "second" }, "/admit/staging")), "validating");

async function lines(changes: Objects): Promise<readonly string[]> {
  const found = await checkServicesOf(OWN, standInCluster(changes));
  return found.map(({ level, name }) => `${level} ${name}`);
}

const endpoints = (...ready: readonly (boolean | undefined)[]) =>
  list({ endpoints: ready.map((one) => ({ conditions: { ready: one } })) });

describe("the service of webhooks", () => {
  it("is asked once, by replicas and by an answer", async () => {
    expect(await lines({})).toEqual(["ok cluster-replicas", "ok cluster-service"]);
  });

  it.each<[string, Objects, string]>([
    ["no replica", { [PATHS.slices]: list() }, "problem cluster-replicas"],
    ["none that is ready", { [PATHS.slices]: endpoints(false) }, "problem cluster-replicas"],
    ["one", { [PATHS.slices]: endpoints(true, false) }, "warning cluster-replicas"],
    ["several slices", { [PATHS.slices]: list({ endpoints: [{}] }, { endpoints: [{}] }) }, "ok cluster-replicas"],
    ["slices that may not be listed", { [PATHS.slices]: denied("forbidden") }, "note cluster-replicas"],
    ["no answer", { [PATHS.proxy]: denied("no endpoints available", 503) }, "warning cluster-service"],
    ["no service", { [PATHS.proxy]: denied('services "atcr-verify" not found', 404) }, "problem cluster-service"],
    ["a proxy that may not be used", { [PATHS.proxy]: denied("forbidden") }, "note cluster-service"],
    ["an answer of another status", { [PATHS.proxy]: { status: 404, json: { a: 1 } } }, "ok cluster-service"],
  ])("%s", async (_, changes, expected) => {
    expect(await lines(changes)).toContain(expected);
  });

  it("is not known where the API server breaks off", async () => {
    const ask = standInCluster();
    const found = await checkServicesOf(OWN, (request) =>
      request.path === PATHS.proxy ? Promise.reject(new HttpFailure("timeout", "no answer")) : ask(request),
    );
    expect(found.at(-1)).toMatchObject({ level: "note", name: "cluster-service" });
  });

  it("is only the API server's to reach where it is a URL, which is said once", async () => {
    const at = (path: string) => webhook({ clientConfig: { url: `https://a.test:8443${path}` } });
    const outside = webhooksOf(configuration(at("/admit"), at("/admit/audit")), "validating");
    expect(await checkServicesOf(outside, standInCluster())).toMatchObject([
      { level: "note", name: "cluster-service", found: expect.stringContaining("https://a.test:8443,") },
    ]);
  });
});
