import { Environment } from "@marcbachmann/cel-js";

/** A policy in CEL, as ValidatingAdmissionPolicy and Kyverno's ValidatingPolicy have it below `spec`. */
export interface CelPolicy {
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly {
    readonly expression: string;
    readonly messageExpression?: string;
    readonly message?: string;
  }[];
}

/** What Kyverno's functions reach; each may throw, as Kyverno's do. */
export interface KyvernoWorld {
  /** The object that `resource.Get` returns. */
  get(version: string, resource: string, namespace: string, name: string): object;
  /** Sent by `http.Client(AUTHORITY).Post(…)`; numbers of the answer are bigint where CEL has an int. */
  post(url: string, data: unknown, headers: unknown, authority: string): unknown;
}

class Http {
  readonly authority: string;
  constructor(authority = "") {
    this.authority = authority;
  }
}
class Resources {}
class Encoders {}

/**
 * Judges as the API server and Kyverno do: variables are evaluated when they are first read, a validation that is not true
 * refuses, and so does one that errs, by failurePolicy.
 *
 * @param inputs `object`, `oldObject`, `request`
 * @param world for Kyverno's `http`, `resource` and `base64`
 * @returns the message of the first validation that refuses; undefined if none does
 */
export function refusalByCel(
  { variables, validations }: CelPolicy,
  inputs: Readonly<Record<string, unknown>>,
  world?: KyvernoWorld,
): string | undefined {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
  if (world !== undefined) addKyverno(environment, world);
  const evaluated = new Map<string, unknown>();
  const values = {};
  const context = {
    ...inputs,
    ...(world !== undefined && { http: new Http(), resource: new Resources(), base64: new Encoders() }),
    variables: values,
  };
  const evaluate = (expression: string): unknown => environment.evaluate(expression, context);
  for (const { name, expression } of variables) {
    const get = () => {
      if (!evaluated.has(name)) evaluated.set(name, evaluate(expression));
      return evaluated.get(name);
    };
    Object.defineProperty(values, name, { enumerable: true, get });
  }
  for (const { expression, messageExpression, message = "refused" } of validations) {
    try {
      if (evaluate(expression) === true) continue;
    } catch (error) {
      return `error: ${String(error)}`;
    }
    return messageExpression === undefined ? message : messageOf(() => evaluate(messageExpression));
  }
  return undefined;
}

/**
 * Whether the API server calls a webhook with these matchConditions: not where one is false, and where one errs
 * failurePolicy decides, so it is thrown.
 */
export function isCalledByCel(
  conditions: readonly { readonly expression: string }[],
  inputs: Readonly<Record<string, unknown>>,
): boolean {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
  return conditions.every(({ expression }) => environment.evaluate(expression, inputs) === true);
}

/** A message that cannot be made changes nothing about the refusal. */
function messageOf(evaluate: () => unknown): string {
  try {
    return String(evaluate());
  } catch (error) {
    return `no message: ${String(error)}`;
  }
}

/** By kyverno/sdk, extensions/cel/libs/{http,resource}/lib.go, and cel-go's ext.Encoders. */
function addKyverno(environment: Environment, world: KyvernoWorld): void {
  environment.registerType("Http", Http).registerType("Resources", Resources).registerType("Encoders", Encoders);
  environment.registerVariable("http", "Http");
  environment.registerVariable("resource", "Resources");
  environment.registerVariable("base64", "Encoders");
  environment.registerFunction("Http.Client(string): Http", (_: Http, authority: string) => new Http(authority));
  environment.registerFunction(
    "Http.Post(string, dyn, dyn): dyn",
    ({ authority }: Http, url: string, data: unknown, headers: unknown) => world.post(url, data, headers, authority),
  );
  environment.registerFunction(
    "Resources.Get(string, string, string, string): dyn",
    (_: Resources, version: string, resource: string, namespace: string, name: string) =>
      world.get(version, resource, namespace, name),
  );
  environment.registerFunction(
    "Encoders.decode(string): bytes",
    (_: Encoders, text: string) => new Uint8Array(Buffer.from(text, "base64")),
  );
}
