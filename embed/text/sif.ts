import { placeWeight, wordsOf } from "../../base/words.ts";
import { UserError } from "../../base/user_error.ts";
import { symmetricEigen } from "./symmetric_eigen.ts";
import { scaleToUnitRows } from "./unit_rows.ts";
import type { WordVectors } from "./word_vectors.ts";

/** The paper's a: words as frequent as this count half. */
const HALF_WEIGHT_FREQUENCY = 1e-3;

/**
 * texts (N) -> vectors (N, D) of length 1: means of the vectors of their words, weighted a / (a + p(word)) and by
 * {@link placeWeight}, without the component that all share. p is the word's share of all words of the texts; words
 * without a vector are left out, and a text of such words alone gets 0. Source: Arora, Liang and Ma 2017, algorithm 1,
 * which weighs all places alike.
 */
export function smoothInverseFrequency(
  texts: readonly string[],
  { dim, vectorOf }: WordVectors,
): Float32Array<ArrayBuffer> {
  const words = texts.map(wordsOf);
  const counts = new Map<string, number>();
  for (const word of words.flat()) counts.set(word, (counts.get(word) ?? 0) + 1);
  const total = words.reduce((sum, list) => sum + list.length, 0);

  const data = new Float32Array(texts.length * dim);
  for (const [row, list] of words.entries()) {
    const places = list.reduce((sum, _, place) => sum + placeWeight(place), 0);
    for (const [place, word] of list.entries()) {
      const vector = vectorOf(word);
      if (vector === undefined) continue;
      const share = counts.get(word)! / total;
      const weight = placeWeight(place) / places * HALF_WEIGHT_FREQUENCY / (HALF_WEIGHT_FREQUENCY + share);
      for (let i = 0; i < dim; i++) data[row * dim + i] += weight * vector[i];
    }
  }
  if (data.every((value) => value === 0)) {
    throw new UserError(
      `Cannot embed ${texts.length} texts: none of their words has a vector. ` +
        "Use word vectors of the language of the texts, or --engine tfidf",
    );
  }
  removeComponent(data, texts.length, dim);
  return scaleToUnitRows(data, dim);
}

/** Takes the first right singular vector of data (N, D) out of every row. */
function removeComponent(data: Float32Array, rows: number, dim: number): void {
  const gram = new Float64Array(dim * dim);
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * dim, (row + 1) * dim);
    for (let i = 0; i < dim; i++) for (let j = 0; j < dim; j++) gram[i * dim + j] += values[i] * values[j];
  }
  const { vectors } = symmetricEigen(gram, dim);
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * dim, (row + 1) * dim);
    let along = 0;
    for (let i = 0; i < dim; i++) along += values[i] * vectors[i * dim];
    for (let i = 0; i < dim; i++) values[i] -= along * vectors[i * dim];
  }
}
