import type { FailAt } from "../encoding/foreign-yaml.ts";
import { reject } from "../rejection.ts";
import { type Instruction, readInstructions } from "./dockerfile-instructions.ts";
import { expand, splitFlags, splitWords } from "./dockerfile-words.ts";
import type { ImageCollector, ImageKind } from "./found-image.ts";

const STAGE_NAME = /^[a-z][a-z0-9_.-]*$/i;
const ARGUMENT = /^([A-Za-z_][A-Za-z0-9_]*)(?:=(.*))?$/s;
/** BuildKit's name for nothing. */
const SCRATCH = "scratch";
const NO_VARIABLES = "it contains a variable, which builds do not replace here; name a stage: FROM IMAGE AS NAME";

/**
 * Finds the images that a Dockerfile is built from: in FROM, `COPY --from=`, `RUN --mount=from=` and `# syntax=`. Build arguments
 * have the defaults of the file.
 *
 * @param text attacker-controlled
 * @param file for messages
 * @throws Rejection input.malformed
 */
export function findInDockerfile(text: string, file: string, into: ImageCollector): void {
  const fail: FailAt = (line, message) => reject("input.malformed", `${file}:${line}: ${message}`);
  const { syntaxes, escapedBy, instructions } = readInstructions(text, fail);
  for (const { text: image, line } of syntaxes) into.add(image, line, "syntax");
  const stages = new Stages(into, instructions);
  const values = new Map<string, string | undefined>();
  for (const instruction of instructions) {
    const { name, rest, line } = instruction;
    if (name === "ARG" && !stages.hasBegun) {
      declare(splitWords(rest, escapedBy), values, (word) => {
        const expanded = expand(word, values, escapedBy);
        return "text" in expanded ? expanded.text : undefined;
      });
    } else if (name === "FROM") {
      from(instruction, stages, (word) => expand(word, values, escapedBy));
    } else if (name === "ONBUILD") {
      const [, inner = "", below = ""] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
      mentions(inner.toUpperCase(), below, (image, kind) => stages.use(image, line, kind));
    } else mentions(name, rest, (image, kind) => stages.use(image, line, kind));
  }
}

/** The stages so far, which are named where images are. */
class Stages {
  readonly #into: ImageCollector;
  /** In lower case, as they are compared. */
  readonly #names = new Set<string>();
  readonly #all: ReadonlySet<string>;
  #count = 0;

  constructor(into: ImageCollector, instructions: readonly Instruction[]) {
    this.#into = into;
    this.#all = new Set(
      instructions.flatMap(({ name, rest }) => {
        const [, as] = name === "FROM" ? (/\sAS\s+(\S+)$/i.exec(rest) ?? []) : [];
        return as === undefined ? [] : [as.toLowerCase()];
      }),
    );
  }

  get hasBegun(): boolean {
    return this.#count > 0;
  }

  /** The image of a new stage. */
  begin(image: string, line: number, as: string | undefined, problem?: string): void {
    this.#count++;
    if (problem !== undefined) this.#into.add(image, line, "FROM", problem);
    else if (this.#names.has(image.toLowerCase())) this.#into.passOver("stages");
    else if (image === SCRATCH) this.#into.passOver("scratch");
    else this.#into.add(image, line, "FROM");
    if (as !== undefined) this.#names.add(as.toLowerCase());
  }

  /** What an instruction takes files from: an image, or a stage by its name or, in COPY, its number. */
  use(image: string, line: number, kind: ImageKind): void {
    const name = image.toLowerCase();
    const isNumber = /^[0-9]+$/.test(image);
    if (this.#names.has(name) || (kind === "COPY --from" && isNumber && Number(image) < this.#count)) {
      this.#into.passOver("stages");
    } else if (image === SCRATCH) this.#into.passOver("scratch");
    else if (isNumber) this.#into.add(image, line, kind, "it is a number, but there is no stage with it above");
    else if (this.#all.has(name)) {
      this.#into.add(image, line, kind, "a stage with this name begins only below, which programs read differently");
    } else this.#into.add(image, line, kind, image.includes("$") ? NO_VARIABLES : undefined);
  }
}

function from({ rest, line }: Instruction, stages: Stages, resolve: (word: string) => ReturnType<typeof expand>): void {
  const words = splitFlags(rest).rest.split(/\s+/).filter(Boolean);
  const [word = "", as, name] = words;
  const isWellFormed = words.length === 1 || (words.length === 3 && as?.toUpperCase() === "AS");
  if (!isWellFormed || (name !== undefined && !STAGE_NAME.test(name))) {
    stages.begin(word, line, undefined, "its line is none that builds read, expected FROM IMAGE or FROM IMAGE AS NAME");
    return;
  }
  const expanded = resolve(word);
  if ("problem" in expanded) stages.begin(word, line, name, expanded.problem);
  else stages.begin(expanded.text, line, name);
}

/** The values of ARG: `NAME`, or `NAME=DEFAULT`, where a variable may be used that was declared before. */
function declare(
  words: readonly string[] | undefined,
  values: Map<string, string | undefined>,
  resolve: (word: string) => string | undefined,
): void {
  for (const word of words ?? []) {
    const [, name, written] = ARGUMENT.exec(word) ?? [];
    if (name !== undefined) values.set(name, written === undefined ? undefined : resolve(written));
  }
}

/** The images that the flags of an instruction name. */
function mentions(name: string, rest: string, found: (image: string, kind: ImageKind) => void): void {
  for (const flag of splitFlags(rest).flags) {
    const [, key = "", value = ""] = /^--([^=]*)=?(.*)$/s.exec(flag) ?? [];
    if ((name === "COPY" || name === "ADD") && key.toLowerCase() === "from") found(value, "COPY --from");
    if (name !== "RUN" || key.toLowerCase() !== "mount") continue;
    for (const field of value.split(",")) {
      const [, image] = /^\s*"?\s*from\s*=(.*?)"?$/is.exec(field) ?? [];
      if (image !== undefined) found(image, "RUN --mount");
    }
  }
}
