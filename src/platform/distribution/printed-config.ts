import { dirname, resolve } from "node:path";
import { type Containerd, CRI_IMAGES_PLUGIN, importsOf, verifierSettings } from "../containerd/inspect.ts";
import { type AskingSettings, askingSettings, isNothing } from "./asking-settings.ts";
import { type Change, type Distribution, DROP_IN, type ToImport } from "./distribution.ts";
import { OWN_DROP_IN } from "./kubernetes.ts";

/** The first containerd whose CRI asks verifiers. */
const ASKS_FROM = [2, 1] as const;
/** What is open where containerd's gate is not. */
const INSTEAD =
  "Alternatives: admission control in the cluster, with another tool, as this program has none yet; or `atcr-verify verify` in the pipeline, before an image is deployed.";
/** Where a configuration of version 2 has what version 3 has under CRI_IMAGES_PLUGIN. */
const VERSION_2: Readonly<Record<string, string>> = {
  discard_unpacked_layers: 'plugins."io.containerd.grpc.v1.cri".containerd',
  disable_snapshot_annotations: 'plugins."io.containerd.grpc.v1.cri".containerd',
  max_concurrent_downloads: 'plugins."io.containerd.grpc.v1.cri"',
  image_pull_with_sync_fs: 'plugins."io.containerd.grpc.v1.cri"',
  config_path: 'plugins."io.containerd.grpc.v1.cri".registry',
};
const IMAGES = `plugins."${CRI_IMAGES_PLUGIN}"`;

export interface PrintedConfig {
  /** Whether containerd can be made to ask this program at kubelet's pulls. */
  readonly isOpen: boolean;
  /** Where the lines belong; absent if nothing has to change. */
  readonly file?: string;
  readonly restart?: string;
  /** What else is needed so that the file is read. */
  readonly toImport?: Required<Pick<ToImport, "into">> & ToImport;
  /** Lines: the whole file, explanations in comments; sentences where the gate is closed. */
  readonly lines: readonly string[];
}

/**
 * The file and the lines that make kubelet ask verifiers. Pure.
 *
 * @param containerd absent: another machine's, of which nothing but the distribution is known
 */
export function printedConfig(distribution: Distribution, containerd?: Containerd): PrintedConfig {
  const version = containerd?.version ?? containerd?.installed;
  const closed = whyClosed(distribution, version);
  if (closed !== undefined) {
    const found = `${distribution.title}: containerd cannot have this program verify what kubelet pulls there: ${closed}.`;
    return { isOpen: false, lines: [found, INSTEAD] };
  }
  const change = distribution.change.by === "nothing" ? OWN_DROP_IN : distribution.change;
  const settings = askingSettings(distribution, containerd);
  const path = containerd?.configPath ?? distribution.config.path;
  if (isNothing(settings) && change.by !== "settings")
    return {
      isOpen: true,
      lines: [
        `# ${distribution.title}: kubelet asks verifiers with ${path} and its imports as they are: nothing has to be changed.`,
      ],
    };
  const { file, imports } = placeOf(change, containerd);
  const { restart } = change;
  const toImport = imports && { into: path, ...imports };
  const place = { file, restart, ...(toImport && { toImport }) };
  const isKnown = containerd?.config !== undefined;
  const binDir = isKnown ? verifierSettings(containerd).binDir : distribution.binDir;
  const unread = containerd === undefined || isKnown ? undefined : whyAll(containerd);
  const about = {
    ...place,
    path,
    isKnown,
    ...(unread !== undefined && { unread }),
    ...(binDir !== undefined && { binDir }),
  };
  const lines = [...head(distribution, settings, about), ...bodyOf(change, settings)];
  return { isOpen: true, ...place, lines };
}

/** Why every line is printed although this node was looked at, as sentences. */
function whyAll({ mistake }: Containerd): string {
  const why = "so what it sets is not known, and all lines are printed.";
  if (mistake === undefined) return `containerd's configuration could not be read, ${why}`;
  const { file, line, what } = mistake;
  return `containerd rejects ${file}${line === undefined ? "" : `, line ${line}`} (${what}), ${why} Correct it first.`;
}

function whyClosed({ change }: Distribution, version: string | undefined): string | undefined {
  const old = version !== undefined && !isFrom(version, ASKS_FROM);
  if (change.by !== "nothing")
    return old ? `it is containerd ${version}, and only 2.1 and later ask verifiers when kubelet pulls` : undefined;
  const isOpen = change.openFrom !== undefined && version !== undefined && isFrom(version, change.openFrom);
  return isOpen ? undefined : change.why;
}

function isFrom(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ofMajor = 0, ofMinor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return ofMajor > major || (ofMajor === major && ofMinor >= minor);
}

/** A folder that the effective configuration imports is taken before the usual one. */
function placeOf(change: Exclude<Change, { by: "nothing" }>, containerd: Containerd | undefined): Place {
  if (change.by !== "drop-in" || change.toImport === undefined) return { file: change.file };
  const folders = containerd?.config === undefined ? [] : importedFolders(containerd);
  const last = folders.at(-1);
  if (last === undefined) return { file: change.file, imports: change.toImport };
  return { file: folders.includes(dirname(change.file)) ? change.file : `${last}/${DROP_IN}` };
}

interface Place {
  readonly file: string;
  readonly imports?: ToImport;
}

function importedFolders(containerd: Containerd): readonly string[] {
  const patterns = importsOf(containerd).filter((path) => path.endsWith("/*.toml"));
  return patterns.map((path) => resolve(dirname(containerd.configPath), dirname(path)));
}

interface Head extends Pick<PrintedConfig, "toImport"> {
  readonly file: string;
  readonly restart: string;
  /** Of the main configuration. */
  readonly path: string;
  /** Why the effective configuration of this node is not known, as sentences. */
  readonly unread?: string;
  /** Whether the effective configuration is known. */
  readonly isKnown: boolean;
  readonly binDir?: string;
}

function head(
  { title, config, ships, notes = [], wasRun }: Distribution,
  { hosts, tables }: AskingSettings,
  { file, restart, toImport, path, isKnown, unread, binDir }: Head,
): readonly string[] {
  const sentences = [
    wasRun
      ? `${title}: with these lines kubelet asks image verifiers.`
      : `${title}: these lines should make kubelet ask image verifiers (never tried on ${title} itself).`,
    ...(unread === undefined ? [] : [`Warning: ${unread}`]),
    `Where: ${file}`,
    ...(toImport === undefined ? [] : importSentences(toImport, path)),
    `Then: ${restart}, and verify with: atcr-verify doctor --probe`,
    ...(config.writtenBy === undefined ? [] : [`Not in ${config.path}: ${config.writtenBy}.`]),
    ...(binDir === undefined ? [] : [`Verifiers are run from ${binDir}.`]),
    ...(isKnown || ships.bypasses.length === 0
      ? []
      : [
          `${title} itself sets ${ships.bypasses.join(" and ")}; the other lines are containerd's defaults, in case they were changed.`,
        ]),
    ...notes,
    ...tables.map(
      (key) => `No further file removes ${key}: remove it where it is set, and use config_path with hosts.toml.`,
    ),
    ...(hosts === undefined
      ? []
      : [
          `config_path names one folder: several are taken as one path. Move what is in ${hosts.others.join(", ")} there.`,
        ]),
    ...(wasRun ? [] : ["File and keys are those of its published sources."]),
  ];
  return sentences.map((sentence) => `# ${sentence}`);
}

function importSentences(
  { into, isWhole, lines }: NonNullable<PrintedConfig["toImport"]>,
  path: string,
): readonly string[] {
  const where = isWhole
    ? `create ${into} with exactly these lines`
    : `add to the imports, or above the first table, of ${into}`;
  return [`Unless ${path} imports that folder already, ${where}:`, ...lines.map((line) => `  ${line}`)];
}

function bodyOf(change: Exclude<Change, { by: "nothing" }>, settings: AskingSettings): readonly string[] {
  const indented = (lines: readonly string[], by: string) => lines.map((line) => (line === "" ? "" : `${by}${line}`));
  switch (change.by) {
    case "drop-in":
      return ["version = 3", "", ...tomlOf(settings, 3)];
    case "kind-cluster":
      return [
        "kind: Cluster",
        "apiVersion: kind.x-k8s.io/v1alpha4",
        "containerdConfigPatches:",
        "  - |-",
        // A patch of another version than kind's file, which is 2, would be left out.
        ...indented(["version = 2", ...tomlOf(settings, 2)], "    "),
      ];
    case "node-config":
      return [
        "apiVersion: node.eks.aws/v1alpha1",
        "kind: NodeConfig",
        "spec:",
        "  containerd:",
        "    config: |",
        // Named as in version 3, or nodeadm takes its template of version 2.
        ...indented(tomlOf(settings, 3), "      "),
      ];
    case "settings":
      return change.lines;
  }
}

/** Each table once: TOML has no second one of a name. */
function tomlOf({ values, hosts }: AskingSettings, version: 2 | 3): readonly string[] {
  const tables = new Map<string, string[]>();
  const set = (key: string, value: string, table: string): void => {
    const name = (version === 2 ? VERSION_2[key] : undefined) ?? table;
    tables.set(name, [...(tables.get(name) ?? []), `  ${key} = ${value}`]);
  };
  for (const [key, value] of values) set(key, value, IMAGES);
  if (hosts !== undefined) set("config_path", JSON.stringify(hosts.folder), `${IMAGES}.registry`);
  // By name, so that a table comes before those in it.
  const sorted = [...tables].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return sorted.flatMap(([name, lines], index) => [...(index === 0 ? [] : [""]), `[${name}]`, ...lines]);
}
