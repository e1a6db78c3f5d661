/** A list as ranks send it to each other. */
export interface SentList {
  /** Place of the target among the candidates, -1 where it is none. */
  place: number;
  /** Features (candidates, C), row after row. */
  raw: Float32Array;
}

/** Lists as bytes that {@link parseLists} reads: their number, then place and length of each, then all features. */
export function formatLists(lists: readonly SentList[]): Uint8Array {
  const head = Int32Array.from([lists.length, ...lists.flatMap(({ place, raw }) => [place, raw.length])]);
  const numbers = lists.reduce((sum, { raw }) => sum + raw.length, 0);
  const bytes = new Uint8Array(head.byteLength + 4 * numbers);
  bytes.set(new Uint8Array(head.buffer));
  const features = new Float32Array(bytes.buffer, head.byteLength);
  let at = 0;
  for (const { raw } of lists) {
    features.set(raw, at);
    at += raw.length;
  }
  return bytes;
}

/** The lists of {@link formatLists}. */
export function parseLists(bytes: Uint8Array): SentList[] {
  const { buffer } = bytes.slice(); // numbers begin at multiples of four
  const [count] = new Int32Array(buffer, 0, 1);
  const facts = new Int32Array(buffer, 4, 2 * count);
  const features = new Float32Array(buffer, 4 + facts.byteLength);
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const [place, length] = facts.subarray(2 * i, 2 * i + 2);
    return { place, raw: features.slice(at, at += length) };
  });
}
