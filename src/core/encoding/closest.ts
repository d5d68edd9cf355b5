/** Most letters by which a misspelt word differs from the one that is suggested, such as plcDirectory from plcDirectories. */
const MAX_TYPOS = 3;
/** Letters of a word, above which that many typos are allowed. */
const LONG = 10;

/** The known word that was most likely meant, ignoring case; undefined where none is similar: in a short word, one typo. */
export function closest(word: string, known: readonly string[]): string | undefined {
  const near = known.map((name) => ({ name, typos: typos(word.toLowerCase(), name.toLowerCase()) }));
  const best = near.reduce((a, b) => (b.typos < a.typos ? b : a));
  const allowed = Math.min(word.length < LONG ? MAX_TYPOS - 1 : MAX_TYPOS, Math.floor(word.length / 2));
  return best.typos <= allowed ? best.name : undefined;
}

/** Levenshtein distance, two letters that changed places counted once; words that differ much in length are not measured. */
function typos(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_TYPOS) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  let above: readonly number[] = [];
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      const isSwapped = i > 0 && j > 0 && letter === b[j - 1] && a[i - 1] === b[j];
      const swapped = isSwapped ? (above[j - 1] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replaced, swapped, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    above = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
