import { UserError } from "../../base/user_error.ts";
import type { Corpus } from "../../data/corpus.ts";
import { type Embeddings, withoutPaddingRow } from "../../sid/embeddings.ts";
import { concatenate } from "../../sid/fuse.ts";
import { loadEmbeddings } from "../_sid/inputs.ts";

/** What item vectors say: what items are, who buys them, or both. */
export const INPUTS = ["semantic", "collaborative", "dual"] as const;

/** Files of item vectors; "" for none. */
export interface VectorFlags {
  /** Of texts. */
  embeddings: string;
  /** Of purchases. */
  collab: string;
  /** Which of them are used; absent: what is given. */
  input?: typeof INPUTS[number];
}

const PARTS = {
  semantic: ["embeddings"],
  collaborative: ["collab"],
  dual: ["embeddings", "collab"],
} as const;

/**
 * Vectors of a corpus' items (N, D): those of one file, or both parts side by side, each scaled to length 1.
 * @throws {UserError} for a part that is missing or in vain, and for rows that are not the items.
 */
export async function loadItemVectors(
  flags: VectorFlags,
  corpus: Corpus,
): Promise<{ vectors: Embeddings; files: string[] }> {
  const {
    embeddings,
    collab,
    input = embeddings && collab ? "dual" : collab ? "collaborative" : "semantic",
  } = flags;
  const wanted = PARTS[input];
  for (const flag of ["embeddings", "collab"] as const) {
    const needed = (wanted as readonly string[]).includes(flag);
    if (needed === (flags[flag] !== "")) continue;
    throw new UserError(
      needed
        ? `Cannot train on ${input} item vectors without --${flag}: ${HINTS[flag]}`
        : `Cannot use --${flag} with --input ${input}: it would take no notice of it. Leave one of them out`,
    );
  }
  const files = wanted.map((flag) => flags[flag]);
  const parts = [];
  for (const name of files) parts.push({ name, embeddings: await itemRows(name, corpus), weight: 1 });
  return { vectors: parts.length === 1 ? parts[0].embeddings : concatenate(parts), files };
}

const HINTS = {
  embeddings: "name a .npy file that `genrec embed` or another program made of the items' texts",
  collab: "name a .npy file such as the embeddings.npy of `genrec baseline --model sasrec`",
};

async function itemRows(path: string, { name, items }: Corpus): Promise<Embeddings> {
  const { embeddings } = await loadEmbeddings(path, items.map(({ id }) => id));
  const vectors = withoutPaddingRow(embeddings, items.length);
  if (vectors) return vectors;
  throw new UserError(
    `Cannot use ${path}: it has ${embeddings.rows} rows, ${name} has ${items.length} items, expected one row an item in the same ` +
      "order. Embed the items of this dataset again",
  );
}
