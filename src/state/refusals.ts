import type { Pieces } from "../disk/pieces.ts";
import { Rejection } from "../rejection.ts";
import { type Bundle, readBundle, writeBundle } from "../verify/bundle.ts";
import { cacheFolder } from "./cache-folders.ts";

/**
 * How long what led to a refusal is judged again instead of asking, in milliseconds: the burst of pulls that a
 * refusal brings about is answered, and whoever mends the cause need not wait.
 */
export const REFUSAL_TTL = 5_000;

/** What was gathered for questions that were not answered by an allow, for a moment. */
export class Refusals {
  readonly #pieces: Pieces;

  constructor(directory: string, report: (warning: string) => void) {
    this.#pieces = cacheFolder(directory, "refusals", report);
  }

  /**
   * @param question names what was asked of whom: hex digits
   * @param now milliseconds since 1970
   */
  find(question: string, now: number): Bundle | undefined {
    const name = `${question}.json`;
    const piece = this.#pieces.read(name);
    // Written ahead of the clock, it is of no known age.
    if (piece === undefined || piece.writtenAt > now || now - piece.writtenAt > REFUSAL_TTL) return undefined;
    try {
      return readBundle(piece.bytes);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      this.#pieces.damaged(name, error.message);
      return undefined;
    }
  }

  async keep(question: string, bundle: Bundle): Promise<void> {
    await this.#pieces.write(`${question}.json`, writeBundle(bundle));
  }
}
