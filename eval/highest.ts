/** Where a list is longer than this share of the scores, the last of it is looked up among all of them, sorted. */
const SORTED_SHARE = 1 / 4;

/**
 * Places of the `most` highest scores, best first, equal ones in the order of their places; all where there are fewer.
 * `places` are those to choose from, each once, in any order; default: all.
 */
export function highest(scores: ArrayLike<number>, most: number, places?: readonly number[]): number[] {
  const count = places?.length ?? scores.length;
  const isBefore = (a: number, b: number) => scores[a] > scores[b] || scores[a] === scores[b] && a < b;
  if (most > SORTED_SHARE * count) {
    const all = places ?? Array.from({ length: count }, (_, place) => place);
    // Numbers alone are sorted many times faster than places by them.
    const sorted = Float64Array.from(all, (place) => scores[place]).sort();
    const least = most < count ? sorted[count - most] : -Infinity;
    return all.filter((place) => scores[place] >= least)
      .sort((a, b) => scores[b] - scores[a] || a - b)
      .slice(0, most);
  }
  // Most are worse than the last of the list, which is all that is asked of them.
  const best: number[] = [];
  if (most === 0) return best;
  for (let i = 0; i < count; i++) {
    const place = places ? places[i] : i;
    if (best.length === most) {
      if (!isBefore(place, best[most - 1])) continue;
      best.pop();
    }
    let low = 0, high = best.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(place, best[middle])) high = middle;
      else low = middle + 1;
    }
    best.splice(low, 0, place);
  }
  return best;
}
