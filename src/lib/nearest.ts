/** Nobody meant anything by a longer word; to compare it would take long. */
const longestWord = 100;

/** Edits after which a candidate is still near: one for every three letters. */
const usualEdits = ({ length }: string): number => Math.max(1, Math.floor(length / 3));

/** The candidate that somebody who wrote `word` most likely meant; undefined where none is near. */
export function nearest(
  word: string,
  candidates: readonly string[],
  editsOf: (candidate: string) => number = usualEdits,
): string | undefined {
  if (word.length > longestWord) return undefined;
  const lower = word.toLowerCase();
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= editsOf(best.candidate) ? best.candidate : undefined;
}

/** Levenshtein. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
