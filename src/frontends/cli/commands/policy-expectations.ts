import { dirname, resolve } from "node:path";
import type { Config } from "../../../core/config/config.ts";
import { printable } from "../../../core/encoding/printable.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import { decidedBy, failuresOf, type PolicyTestCase, readPolicyTest } from "../../../core/policy-tools/expectations.ts";
import { explain } from "../../../core/policy-tools/explain.ts";
import { reject } from "../../../core/rejection.ts";
import { readPossiblyUntrustedFile } from "../../../io/fs/local-file.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { policyInput, policySource } from "../../../io/settings/policy-source.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { folded, painted, type Screen, screenOf } from "../terminal/screen.ts";

/** `atcr-verify policy test FILE`: whether a policy treats images as its authors expect. */
export function policyTest({ operands, options }: LineOf<"policy test">, lifecycle: ProcessLifecycle): never {
  const [path] = operands;
  // The file decides nothing, so it does not matter who else can write to it.
  const text = readPossiblyUntrustedFile({ path, code: "input.malformed", what: "the file of cases" }, () => {});
  const test = readPolicyTest(text ?? reject("input.malformed", `there is no file ${path}`), path);
  const config = loadConfig(lifecycle.environment, options.config);
  const beside = test.policy === undefined ? undefined : resolve(dirname(path), test.policy);
  const source = policySource(policyInput(options.policy ?? beside, config));
  for (const { message } of source.untrustedFiles) lifecycle.warnings.warn({ code: "settings.distrusted", message });

  const results = test.cases.map((one) => resultOf(one, source.policy, config));
  const failed = results.filter(({ json }) => json.failures.length > 0).length;
  const counts = { policy: source.path, passed: results.length - failed, failed };
  const screen = screenOf(lifecycle.environment);
  const report =
    options.output === "json"
      ? jsonText({ ...counts, cases: results.map(({ json }) => json) })
      : `${results.map((result) => toText(result, screen)).join("")}${folded(count(counts), screen)}`;
  lifecycle.print(report, failed === 0 ? 0 : 1);
}

function resultOf(one: PolicyTestCase, policy: TrustPolicy, { atcrHosts }: Config) {
  const found = explain({ policy, atcrHosts, now: Date.now() }, one.name, one.name.digest);
  const { action, rule } = found;
  const json = {
    image: one.image,
    line: one.place.line,
    expect: one.expect,
    action,
    decidedBy: found.decidedBy,
    ...(rule !== undefined && { rule }),
    failures: failuresOf(one, found),
  };
  return { json, by: decidedBy(found) };
}

function toText({ json: { image, line, action, failures }, by }: ReturnType<typeof resultOf>, screen: Screen): string {
  const isGood = failures.length === 0;
  const text = isGood
    ? `ok      ${image}: ${action}, by ${by}`
    : `FAILED  ${image} (line ${line}): ${failures.join("; ")} (${action}, by ${by})`;
  return painted(folded(`${printable(text)}\n`, screen, "FAILED  ".length), isGood ? "green" : "red", screen);
}

function count({ policy, passed, failed }: { policy: string; passed: number; failed: number }): string {
  return printable(`${passed} passed, ${failed} failed, against ${policy}`).concat("\n");
}
