import { realPart } from "./kubernetes-api.ts";
import { LineProcess } from "./line-process.ts";

/** `spec` of a Provider object. */
export interface Provider {
  readonly url: string;
  /** Base64 of PEM. */
  readonly caBundle: string;
  /** Whole seconds. */
  readonly timeout: number;
}

export interface Evaluation {
  /** Source of a ConstraintTemplate. */
  readonly rego: string;
  /** `v1` where it is written in that version of the language. */
  readonly version?: string;
  readonly providers: Readonly<Record<string, Provider>>;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** `input.review`. */
  readonly review: Readonly<Record<string, unknown>>;
  /** How long what providers answered is used again; default not. */
  readonly cacheSeconds?: number;
}

export interface Evaluated {
  /** Messages; none: admitted. */
  readonly violations: readonly string[];
  /** What each call of `external_data` gave to the template. */
  readonly external: readonly {
    readonly status_code: number;
    readonly system_error: string;
    readonly responses: readonly (readonly [string, unknown])[];
    readonly errors: readonly (readonly [string, string])[];
  }[];
}

/** Open Policy Agent's engine with Gatekeeper's `external_data`: test/support/go/opa-engine. */
export class OpaEngine {
  readonly #process = new LineProcess(realPart("opa-engine"));

  evaluate(evaluation: Evaluation): Promise<Evaluated> {
    return this.#process.ask(evaluation);
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}
