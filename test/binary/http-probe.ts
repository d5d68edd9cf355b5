/**
 * A program that is nothing but the HTTP client, compiled like the product, so that what is claimed
 * of the client is proven under the runtime that ships. Takes a job as JSON in its one argument,
 * writes a report as JSON. Never part of the product.
 */
import { readFileSync } from "node:fs";
import type { ProxySettings } from "../../src/core/config/proxy-settings.ts";
import { parseCidr } from "../../src/core/encoding/ip-address.ts";
import { Authorities } from "../../src/io/net/authorities.ts";
import { HttpFailure, type HttpRequest } from "../../src/io/net/exchange.ts";
import { createHttpClient } from "../../src/io/net/http.ts";
import { proxiesOf } from "../../src/io/net/proxy.ts";
import { readSystemRoots } from "../../src/io/net/system-roots.ts";
import { Deadline } from "../../src/io/process/deadline.ts";
import { warned } from "../support/warned.ts";

export interface ProbeJob {
  /** One after the other, unless `together`. */
  readonly requests: readonly (Partial<HttpRequest> & { readonly url: string })[];
  readonly together?: boolean;
  /** As in the configuration file, but told apart. */
  readonly cidrs?: readonly string[];
  readonly hosts?: readonly string[];
  readonly plainHttp?: readonly string[];
  /**
   * Stands in for the resolver: the answers of a name's first, second, … look-up, of which the last
   * stays. `hang` never answers, `fail` answers that there is no such name. Without a table the
   * system's resolver is asked.
   */
  readonly table?: Readonly<Record<string, readonly (readonly string[] | "hang" | "fail")[]>>;
  /** network.proxy, else the environment's variables. */
  readonly proxy?: ProxySettings;
  readonly environment?: Readonly<Record<string, string>>;
  /** PEM texts. */
  readonly ca?: readonly string[];
  readonly skipVerify?: readonly string[];
  /** Milliseconds from the start of the requests. */
  readonly deadline?: number;
  /** Milliseconds after which to note what is waited for. */
  readonly noteAfter?: number;
}

export interface ProbeResult {
  readonly status?: number;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly length?: number;
  /** The first 200 bytes as latin1. */
  readonly text?: string;
  readonly kind?: string;
  readonly message?: string;
  /** Milliseconds. */
  readonly took: number;
}

export interface ProbeReport {
  readonly results: readonly ProbeResult[];
  readonly waitedFor?: readonly string[];
  /** Peak resident memory in bytes. */
  readonly peak: number;
  readonly lookUps: readonly string[];
  /** What was reported of certificate authorities. */
  readonly warnings: readonly string[];
}

const job = JSON.parse(process.argv[2] ?? "") as ProbeJob;
const lookUps: string[] = [];
const warnings: string[] = [];

function fromTable(table: NonNullable<ProbeJob["table"]>): (host: string) => Promise<readonly string[]> {
  return (host) => {
    const answers = table[host] ?? ["fail"];
    const nth = lookUps.filter((name) => name === host).length;
    lookUps.push(host);
    const answer = answers[Math.min(nth, answers.length - 1)];
    if (answer === "hang") return new Promise(() => {});
    if (answer === undefined || answer === "fail")
      return Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" }));
    return Promise.resolve(answer);
  };
}

const get = createHttpClient({
  version: "1.2.3",
  allow: {
    cidrs: (job.cidrs ?? []).map((text) => parseCidr(text) ?? fail(`no CIDR: ${text}`)),
    hosts: job.hosts ?? [],
    plainHttp: job.plainHttp ?? [],
  },
  proxies: proxiesOf(job.proxy, job.environment ?? {}),
  authorities: new Authorities(
    () => readSystemRoots(process.env),
    (job.ca ?? []).map((text, i) => ({ path: `ca ${i}`, text })),
  ),
  skipVerify: job.skipVerify ?? [],
  warn: warned(warnings),
  ...(job.table && { resolve: fromTable(job.table) }),
});

const deadline = new Deadline(performance.now() + (job.deadline ?? 8_000));
let waitedFor: readonly string[] | undefined;
if (job.noteAfter !== undefined) {
  setTimeout(() => {
    waitedFor = deadline.waitingFor();
  }, job.noteAfter);
}

async function perform(request: ProbeJob["requests"][number]): Promise<ProbeResult> {
  const started = performance.now();
  const took = (): number => Math.round(performance.now() - started);
  const usual = { accept: "*/*", maxBytes: 1024, timeout: 5_000, maxRedirects: 0, originMayBePrivate: false };
  try {
    const { status, url, headers, body } = await get({ ...usual, purpose: "PDS", ...request }, deadline);
    const text = Buffer.from(body.subarray(0, 200)).toString("latin1");
    return { status, url, headers: Object.fromEntries(headers), length: body.length, text, took: took() };
  } catch (error) {
    if (!(error instanceof HttpFailure)) return { kind: `NOT A FAILURE: ${String(error)}`, took: took() };
    return { kind: error.kind, message: error.message, took: took() };
  }
}

let results: ProbeResult[] = [];
if (job.together) results = await Promise.all(job.requests.map(perform));
else for (const request of job.requests) results.push(await perform(request));

// Not getrusage's maxRSS, which begins with what the parent had when it forked.
const peak = Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
const report: ProbeReport = { results, peak, lookUps, warnings, ...(waitedFor && { waitedFor }) };
process.stdout.write(JSON.stringify(report), () => process.exit(0));

function fail(message: string): never {
  throw new Error(message);
}
