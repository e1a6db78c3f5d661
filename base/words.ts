/** Words of a text: runs of letters, digits and marks in lower case, with points and hyphens between digits kept, as in 1.5 or 3-8. */
export function wordsOf(text: string): string[] {
  return text.normalize("NFKC").toLowerCase().match(/\p{N}+(?:[.\-/]\p{N}+)+|[\p{L}\p{M}\p{N}]+/gu) ?? [];
}

/** Place at which a word counts half. */
const HALF_WEIGHT = 16;

/** Weight of the word at a place, from 0: product texts begin with what the thing is. */
export function placeWeight(place: number): number {
  return 1 / (1 + place / HALF_WEIGHT);
}
