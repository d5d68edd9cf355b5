/** What this program knows of a distribution, as its published sources say; the tables have the values. */
export interface Distribution {
  /** The value of `enable --print-config --distribution`. */
  readonly name: string;
  /** As its makers write it. */
  readonly title: string;
  /** A node can be one of each: Flatcar with kubeadm. The one of Kubernetes decides what is printed. */
  readonly kind: "kubernetes" | "system";
  readonly recognisedBy: Signs;
  /** Path of the socket that kubelet pulls through. */
  readonly socket: string;
  /** What kubelet's containerd reads, and who writes it: a clause, told where an edit there would be lost. */
  readonly config: { readonly path: string; readonly writtenBy?: string };
  /** What its published configuration sets. */
  readonly ships: {
    /** Keys of {@link ASKING} with which kubelet asks no verifier. */
    readonly bypasses: readonly string[];
    /** `registry.config_path`, where it names several folders. */
    readonly configPath?: string;
  };
  /** A folder for verifiers that can be written there; absent where there is none. */
  readonly binDir?: string;
  readonly change: Change;
  /** Sentences that belong to the change. */
  readonly notes?: readonly string[];
  /** Whether this program was run on the real distribution. None was: the project has no such nodes. */
  readonly wasRun: boolean;
}

/** Signs of a distribution; `unless` takes precedence, then one of the others is enough. */
export interface Signs {
  /** Absolute paths of files, folders or sockets. */
  readonly files?: readonly string[];
  /** Names of programs that run. */
  readonly processes?: readonly string[];
  /** Fields of os-release. All of them, and where `files` are given one of those as well. */
  readonly system?: Readonly<Record<string, string>>;
  readonly unless?: readonly string[];
}

/** How kubelet is made to ask verifiers. */
export type Change =
  /** A file that containerd merges into its configuration, which must import it. */
  | {
      readonly by: "drop-in";
      readonly file: string;
      /** Restarts containerd with the new settings. */
      readonly restart: string;
      /** Absent where the distribution merges the file itself. */
      readonly toImport?: ToImport;
    }
  /** A patch of kind's own configuration, which a new cluster is made with. */
  | { readonly by: "kind-cluster"; readonly file: string; readonly restart: string }
  /** EKS' NodeConfig, in the instance's user data. */
  | { readonly by: "node-config"; readonly file: string; readonly restart: string }
  /** Bottlerocket's settings. */
  | { readonly by: "settings"; readonly file: string; readonly restart: string; readonly lines: readonly string[] }
  /** Kubelet's pulls cannot be verified by containerd there. */
  | {
      readonly by: "nothing";
      /** Why, as a clause. */
      readonly why: string;
      /** The first version of containerd there with which it is open: a drop-in for such a node. */
      readonly openFrom?: readonly [major: number, minor: number];
    };

/** How a configuration that does not import the drop-in is made to. */
export interface ToImport {
  /** The file that takes the lines, above its first table; absent: the main configuration. */
  readonly into?: string;
  /** Whether the lines are the whole file. */
  readonly isWhole?: true;
  readonly lines: readonly string[];
}

/** The name of this program's drop-in: it sorts after those of others, and the last one wins. */
export const DROP_IN = "99-atcr-verify.toml";

/** The import that a main configuration needs for a drop-in beside it. */
export function importLine(folder: string): string {
  return `imports = ["${folder}/*.toml"]`;
}
