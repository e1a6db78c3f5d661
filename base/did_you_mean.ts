/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, replace);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length];
}

/** `. Did you mean X?` with the nearest of `names` in double the usual slips of a typist, else an empty string. */
export function didYouMean(word: string, names: readonly string[]): string {
  const plain = (name: string) => name.replace(/^-+|[-_]/g, "").toLowerCase();
  const ranked = names
    .map((name) => ({ name, edits: editDistance(plain(word), plain(name)) }))
    .filter(({ name, edits }) => edits <= Math.max(1, Math.floor(plain(name).length * 0.4)))
    .sort((a, b) => a.edits - b.edits);
  return ranked.length ? `. Did you mean ${ranked[0].name}?` : "";
}
