/**
 * Requests under way to all hosts that names of images choose, so that any author of a pod can name silent ones. The
 * runtime sends at most 256 at a time: the rest is for directories and signers' PDS.
 */
const MAX_AT_NAMED_HOSTS = 128;
/** Of them those of one asker: silent registries that a namespace's pods name delay that namespace alone. */
const MAX_OF_ASKER = 32;
/** Of them those of all who name no asker, such as gates that know no namespace: half, as of the gates' queue. */
const MAX_OF_UNNAMED = 64;

interface Counts {
  all: number;
  /** To hosts that images name. */
  named: number;
}

/** Requests under way, by who asks: `""` for all who name none. */
export class AskerPlaces {
  #named = 0;
  readonly #byAsker = new Map<string, Counts>();

  /** Who has any. */
  get askers(): number {
    return this.#byAsker.size;
  }

  /** Those of one asker. */
  of(asker: string): number {
    return this.#byAsker.get(asker)?.all ?? 0;
  }

  /** Which of these may have one more, the one with the fewest; undefined where none may. @param isNamed to such a host */
  whoMayBegin(askers: ReadonlySet<string>, isNamed: boolean): string | undefined {
    if (isNamed && this.#named >= MAX_AT_NAMED_HOSTS) return undefined;
    let least: string | undefined;
    for (const asker of askers) {
      if (isNamed && this.#namedOf(asker) >= maxOf(asker)) continue;
      if (least === undefined || this.of(asker) < this.of(least)) least = asker;
    }
    return least;
  }

  take(asker: string, isNamed: boolean): void {
    const counts = this.#byAsker.get(asker) ?? { all: 0, named: 0 };
    this.#byAsker.set(asker, counts);
    counts.all++;
    if (!isNamed) return;
    counts.named++;
    this.#named++;
  }

  /** @returns whether requests to any host may have waited for this place */
  giveBack(asker: string, isNamed: boolean): boolean {
    const counts = this.#byAsker.get(asker);
    if (counts === undefined) return false;
    const isAwaited = isNamed && (this.#named === MAX_AT_NAMED_HOSTS || counts.named === maxOf(asker));
    counts.all--;
    if (isNamed) {
      counts.named--;
      this.#named--;
    }
    if (counts.all === 0) this.#byAsker.delete(asker);
    return isAwaited;
  }

  #namedOf(asker: string): number {
    return this.#byAsker.get(asker)?.named ?? 0;
  }
}

function maxOf(asker: string): number {
  return asker === "" ? MAX_OF_UNNAMED : MAX_OF_ASKER;
}
