/** Thrown when the process is about to end, so that nothing more is done. */
export class ProcessEnding extends Error {}

/** For callbacks, whose caller does not catch {@link ProcessEnding}. */
export function unlessEnded(work: () => never): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ProcessEnding)) throw error;
  }
}
