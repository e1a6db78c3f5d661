// Generated from the schemas by `deno task codegen`: change those, not this file.

/** Settings of `collaborative`. */
export interface CollaborativeConfig {
  /**
   * Numbers a vector, fewer where there are not as many directions.
   * @default 128
   */
  dim: number;
  /**
   * Items at most this many places apart in a history count as bought together.
   * @default 3
   */
  window: number;
  /**
   * Exponent of the counts of contexts, below 1 against rare ones.
   * @default 0.75
   */
  contextSmoothing: number;
  /**
   * Exponent of the singular values: 0 gives all directions one weight.
   * @default 0.75
   */
  singularPower: number;
  /**
   * Seed of random starts.
   * @default 42
   */
  seed: number;
}

/** Settings of `static`. */
export interface StaticConfig {
  /**
   * tfidf: terms of the texts; word-vectors: vectors of their words.
   * @default "tfidf"
   */
  engine: "tfidf" | "word-vectors";
  /**
   * Numbers a vector, fewer where there are not as many directions.
   * @default 128
   */
  dim: number;
  /**
   * tfidf: terms are hashed to 2^n buckets.
   * @default 17
   */
  hashBits: number;
  /**
   * tfidf: length of the runs of letters that are terms beside the words, 0 for words alone.
   * @default 3
   */
  letters: number;
  /**
   * Exponent of the singular values: 0 gives all directions one weight.
   * @default 0.75
   */
  singularPower: number;
  /**
   * Seed of random starts.
   * @default 42
   */
  seed: number;
  /**
   * word-vectors: file in the text form of GloVe or word2vec (default: English ones, 110 MB from npm).
   * @default ""
   */
  wordVectors: string;
}
