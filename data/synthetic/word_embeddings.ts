import type { Dataset, Item } from "../dataset.ts";
import { PhiloxStream } from "../../base/philox.ts";

/** Width of `embeddings`. */
export const EMBEDDING_DIM = 64;

const CATEGORY_WEIGHT = 2;
const BRAND_WEIGHT = 1;
const WORD_WEIGHT = 1;
const NOISE = 0.05;

/**
 * Item embeddings from words alone: each category, brand and title word has its own random direction, an item is
 * the normalised sum of its own, plus noise, so items that share words are close. Returns (N, 64), row-major.
 * Depends on the items' text alone. For data without a text encoder, such as the built-in dataset.
 */
export function embeddings(dataset: Pick<Dataset, "items">): { data: Float32Array; shape: [number, number] } {
  const directions = new Map<string, Float64Array>();
  const direction = (term: string) => {
    let vector = directions.get(term);
    if (vector === undefined) {
      const random = new PhiloxStream(0, `embedding ${term}`);
      vector = Float64Array.from({ length: EMBEDDING_DIM }, () => random.normal());
      directions.set(term, vector);
    }
    return vector;
  };
  const data = new Float32Array(dataset.items.length * EMBEDDING_DIM);
  for (const [number, item] of dataset.items.entries()) {
    const sum = new Float64Array(EMBEDDING_DIM);
    for (const [term, weight] of terms(item)) {
      const vector = direction(term);
      for (let i = 0; i < EMBEDDING_DIM; i++) sum[i] += weight * vector[i];
    }
    const norm = Math.sqrt(sum.reduce((total, value) => total + value * value, 0)) || 1;
    const random = new PhiloxStream(0, "embedding noise", number);
    for (let i = 0; i < EMBEDDING_DIM; i++) {
      data[number * EMBEDDING_DIM + i] = sum[i] / norm + NOISE * random.normal() / Math.sqrt(EMBEDDING_DIM);
    }
  }
  return { data, shape: [dataset.items.length, EMBEDDING_DIM] };
}

function terms({ title, brand, categories }: Item): [string, number][] {
  const words = title.toLowerCase().match(/[\p{L}\p{N}.]+/gu) ?? [];
  return [
    ...(categories ? [[`category ${categories.join(", ")}`, CATEGORY_WEIGHT] as [string, number]] : []),
    ...(brand ? [[`brand ${brand}`, BRAND_WEIGHT] as [string, number]] : []),
    ...words.map((word) => [`word ${word}`, WORD_WEIGHT] as [string, number]),
  ];
}
