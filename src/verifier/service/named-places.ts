/**
 * Requests under way to all hosts that names of images choose, so that any author of a pod can name silent ones. The
 * runtime sends at most 256 at a time: the rest is for directories and signers' PDS.
 */
const MAX_AT_NAMED_HOSTS = 128;
/** Of them those of one asker: silent registries that a namespace's pods name delay that namespace alone. */
const MAX_OF_ASKER = 32;
/** Of them those of all who name no asker, such as gates that know no namespace: half, as of the gates' queue. */
const MAX_OF_UNNAMED = 64;

/** Places of requests to hosts that images name, and who has them. */
export class NamedPlaces {
  #taken = 0;
  readonly #byAsker = new Map<string, number>();

  /** One of these who may have a place now; undefined where none may. @param askers `""` for all who name none */
  whoMayBegin(askers: ReadonlySet<string>): string | undefined {
    if (this.#taken >= MAX_AT_NAMED_HOSTS) return undefined;
    return askers.values().find((asker) => this.#of(asker) < maxOf(asker));
  }

  take(asker: string): void {
    this.#taken++;
    this.#byAsker.set(asker, this.#of(asker) + 1);
  }

  /** @returns whether requests to any host may have waited for this place */
  giveBack(asker: string): boolean {
    const isAwaited = this.#taken === MAX_AT_NAMED_HOSTS || this.#of(asker) === maxOf(asker);
    this.#taken--;
    if (this.#of(asker) > 1) this.#byAsker.set(asker, this.#of(asker) - 1);
    else this.#byAsker.delete(asker);
    return isAwaited;
  }

  #of(asker: string): number {
    return this.#byAsker.get(asker) ?? 0;
  }
}

function maxOf(asker: string): number {
  return asker === "" ? MAX_OF_UNNAMED : MAX_OF_ASKER;
}
