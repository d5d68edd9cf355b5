import { DEFAULT_CONFIG } from "../../../core/config/config.ts";
import { placesIn, type Setting, settingsOf } from "../../../core/config/config-settings.ts";
import { mistakesInConfig, parseConfig } from "../../../core/config/parse-config.ts";
import type { ServerSettings } from "../../../core/config/server-settings.ts";
import { printable } from "../../../core/encoding/printable.ts";
import type { PolicyText } from "../../../core/policy/policy-file.ts";
import type { PolicyFinding } from "../../../core/policy-tools/policy-finding.ts";
import { MAX_FILE, oncePerPath } from "../../../io/fs/local-file.ts";
import { type NamedFileFinding, unusableFiles } from "../../../io/settings/named-files.ts";
import { configPath, configText } from "../../../io/settings/settings-files.ts";
import { readAuthorities } from "../../../verifier/service/network.ts";
import { EXIT_STATUS_MISCONFIGURED } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount, jsonText } from "../../process/report.ts";
import { readStandardInput, STDIN_NAME } from "../../process/standard-input.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { counted, findingsJson, findingsText, statusOf } from "../terminal/findings-report.ts";
import { mistakesJson, mistakesText } from "../terminal/mistakes-report.ts";
import { aligned, folded, type Screen, screenOf } from "../terminal/screen.ts";

/** `atcr-verify config check [FILE]`: mistakes in the configuration, and in what it names. */
export async function configCheck(
  { operands, options }: LineOf<"config check">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  const [named] = operands;
  const { strict, verbose, output } = options;
  const distrusted: PolicyFinding[] = [];
  const file = await opened(named, lifecycle, (why) => distrusted.push(untrusted(why)));
  const path = file?.name ?? configPath(lifecycle.environment, named);
  const screen = screenOf(lifecycle.environment);

  const wrong = file === undefined ? undefined : mistakesInConfig(file.text, path);
  if (wrong !== undefined && wrong.mistakes.length > 0) {
    const unusable = { ...wrong, path, code: "config.invalid" } as const;
    const report = output === "json" ? mistakesJson(unusable, "config") : mistakesText(unusable, screen);
    return lifecycle.print(report, EXIT_STATUS_MISCONFIGURED);
  }
  const config = file === undefined ? DEFAULT_CONFIG : parseConfig(file.text, path);
  const settings = settingsOf(file?.text, path);
  const placeOf = placesIn(file?.text, path);
  const files = options["no-files"]
    ? []
    : [
        ...unusableFiles(config, (key) => placeOf(key) !== undefined, readAuthorities),
        ...(config.server === undefined ? [] : await filesOf(config.server)),
      ];
  const findings: PolicyFinding[] = [
    ...distrusted,
    ...files.map(({ key, ...finding }) => ({ ...finding, ...placed(placeOf(key)) })),
  ];
  const result = { path, isThere: file !== undefined, findings, settings };
  return lifecycle.print(
    output === "json" ? jsonText(toJson(result, strict)) : toText(result, verbose, screen),
    statusOf(findings, strict),
  );
}

/** Loaded only where there is a server. */
async function filesOf(server: ServerSettings): Promise<readonly NamedFileFinding[]> {
  const { unusableServerFiles } = await import("../../server/settings/unusable-server-files.ts");
  return unusableServerFiles(server, Date.now());
}

/** The file as a pull would open it; one that is named may be writable by others. */
async function opened(
  named: string | undefined,
  { deadline, environment }: ProcessLifecycle,
  note: (why: string) => void,
): Promise<PolicyText | undefined> {
  if (named !== "-") return configText(environment, named, oncePerPath(note));
  return { name: STDIN_NAME, text: await readStandardInput(deadline, MAX_FILE, "config.invalid") };
}

function untrusted(why: string): PolicyFinding {
  const message = `a pull would reject this configuration: ${why}`;
  const advice = "this matters only if pulls read the configuration from this path";
  return { severity: "warning", name: "config-distrusted", message, advice };
}

function placed(place: Setting["place"]): Pick<PolicyFinding, "place"> {
  return place === undefined ? {} : { place };
}

interface Result {
  readonly path: string;
  /** False where all settings have their defaults, as there is no file. */
  readonly isThere: boolean;
  readonly findings: readonly PolicyFinding[];
  readonly settings: readonly Setting[];
}

function toText({ path, isThere, findings, settings }: Result, isVerbose: boolean, screen: Screen): string {
  const { errors, warnings } = counted(findings);
  const set = settings.filter(({ place }) => place !== undefined).length;
  const about = isThere
    ? `${set} of ${settings.length} keys are set`
    : "there is no such file, so all keys have their defaults";
  const summary = `${path}: ${amount(errors, "error")}, ${amount(warnings, "warning")}; ${about}`;
  const rows = settings.map(({ key, value, place }) => [
    key,
    place === undefined ? "default" : `line ${place.line}`,
    printable(value === null ? "(none)" : typeof value === "string" ? value : JSON.stringify(value)),
  ]);
  const table = isVerbose ? aligned(rows, screen).map((row) => `${row}\n`) : [];
  return `${findingsText(findings, path, screen)}${table.join("")}${folded(printable(summary), screen)}\n`;
}

function toJson({ path, isThere, findings, settings }: Result, strict: boolean) {
  return {
    config: path,
    exists: isThere,
    ...counted(findings),
    strict,
    findings: findingsJson(findings),
    settings: settings.map(({ key, value, place }) => ({
      key,
      value,
      isSet: place !== undefined,
      ...(place && { line: place.line }),
    })),
  };
}
