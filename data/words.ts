/** Words of a text: runs of letters, digits and marks in lower case, with points and hyphens between digits kept, as in 1.5 or 3-8. */
export function wordsOf(text: string): string[] {
  return text.normalize("NFKC").toLowerCase().match(/\p{N}+(?:[.\-/]\p{N}+)+|[\p{L}\p{M}\p{N}]+/gu) ?? [];
}
