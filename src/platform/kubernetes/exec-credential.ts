import { isAbsolute, resolve } from "node:path";
import { isJsonObject, parseJson } from "../../core/encoding/json.ts";
import { Rejection } from "../../core/rejection.ts";
import type { Environment } from "../../io/process/environment.ts";
import { findProgram, runProgram } from "../program.ts";
import type { ClusterAccess } from "./api-client.ts";
import { mapIn, textIn } from "./api-object.ts";
import type { ExecEntry } from "./kubeconfig-document.ts";

/** Milliseconds for the program, which may ask an identity provider. */
const TIMEOUT = 20_000;
const VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/** The credentials that the API server is asked with. */
export type ExecCredential = Pick<ClusterAccess, "client" | "token">;

export interface ExecQuestion {
  readonly exec: ExecEntry;
  /** Of the kubeconfig: a relative path of the program is below it. */
  readonly folder: string;
  readonly cluster: ClusterAccess;
}

/**
 * Runs a kubeconfig's credential plugin, as kubectl does, but without standard input, and not where others can change
 * the program. It has the environment of this process and what the kubeconfig adds.
 *
 * @returns its credential, or why there is none, as a clause without anything that it printed
 */
export async function execCredential(
  { exec, folder, cluster }: ExecQuestion,
  environment: Environment,
): Promise<ExecCredential | string> {
  const { apiVersion, command, args, env, interactiveMode } = exec;
  if (!VERSIONS.includes(apiVersion)) return `speaks ${apiVersion}, expected ${VERSIONS.join(" or ")}`;
  if (interactiveMode === "Always") return "needs a terminal";
  const isPath = command.includes("/");
  const program = isPath
    ? isAbsolute(command)
      ? command
      : resolve(folder, command)
    : findProgram(environment, command);
  if (program === undefined) return "was not found in PATH";
  const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false, ...clusterInfo(exec, cluster) } };
  const inherited = Object.entries(environment).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const variables = { ...Object.fromEntries([...inherited, ...env]), KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  const { code, stdout, stderr } = await runProgram(environment, program, args, TIMEOUT, variables);
  // Without a status the text is this program's own, not the plugin's.
  if (code === undefined) return `was not run: ${stderr}`;
  if (code !== 0) return `ended with status ${code}`;
  return credentialIn(stdout, apiVersion) ?? "printed no ExecCredential with a token or a certificate";
}

function clusterInfo({ provideClusterInfo }: ExecEntry, { server, authority, skipVerify, proxy }: ClusterAccess) {
  if (!provideClusterInfo) return {};
  const data = authority && { "certificate-authority-data": Buffer.from(authority.text).toString("base64") };
  return {
    cluster: {
      server,
      ...data,
      "insecure-skip-tls-verify": skipVerify,
      ...(proxy !== undefined && { "proxy-url": proxy }),
    },
  };
}

function credentialIn(stdout: string, apiVersion: string): ExecCredential | undefined {
  let answer: unknown;
  try {
    answer = parseJson(Buffer.from(stdout), "internal.error", "the credential");
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return undefined;
  }
  if (!isJsonObject(answer) || textIn(answer, "kind") !== "ExecCredential") return undefined;
  if (textIn(answer, "apiVersion") !== apiVersion) return undefined;
  const status = mapIn(answer, "status");
  const [token, cert, key] = ["token", "clientCertificateData", "clientKeyData"].map((name) => textIn(status, name));
  if (token === undefined && (cert === undefined || key === undefined)) return undefined;
  return {
    ...(token !== undefined && { token }),
    ...(cert !== undefined && key !== undefined && { client: { cert, key } }),
  };
}
