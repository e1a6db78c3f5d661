import { z } from "zod";
import { readMatrix } from "../../../base/npy.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Dataset } from "../../../data/dataset.ts";
import { type Embeddings, withoutPaddingRow } from "../../../sid/embeddings.ts";
import { normalizeRows } from "../../../sid/fuse.ts";
import type { RewardMethod } from "./reward.ts";

/** Settings of {@link semantic}. */
export interface SemanticConfig {
  /** A `.npy` file of shape (items, dim), row r item r; "": none, which is refused. */
  embeddings: string;
}

/**
 * Cosine of item embeddings between a completion and the nearest target, in [-1, 1]; 1 for the target itself, 0 for an
 * item whose vector is 0. Of items that share a SID the nearest counts. With weight 0.5 beside `rule` it is ETEGRec's
 * soft reward: 1.5 for the hit.
 */
export const semantic: RewardMethod<SemanticConfig> = {
  name: "semantic",
  summary: "cosine of item embeddings to the nearest target",
  needsTargets: true,
  Config: z.strictObject({
    embeddings: z.string().default("").describe("item embeddings, .npy, of the reward semantic"),
  }),
  files: ({ embeddings }) => embeddings === "" ? [] : [embeddings],
  async create({ dataset }, { embeddings: path }) {
    if (path === "") {
      throw new UserError(
        "Cannot reward by semantic: it compares item embeddings. Name them: --embeddings items.npy",
      );
    }
    const vectors = normalizeRows(rowsOf(readMatrix(await diskFiles.readFile(path), path), path, dataset));
    return {
      score: ({ completions, example }) =>
        Float64Array.from(
          completions,
          ({ items }) =>
            Math.max(
              ...items.flatMap((item) => example.targets.map((target) => similarity(vectors, item, target))),
            ),
        ),
    };
  },
};

function rowsOf(embeddings: Embeddings, path: string, { name, items }: Dataset): Embeddings {
  const vectors = withoutPaddingRow(embeddings, items.length);
  if (vectors) return vectors;
  throw new UserError(
    `Cannot reward by the embeddings of ${path}: it has ${embeddings.rows} rows, expected ${items.length}, the items of ` +
      `${name} in their order. Make them of this dataset with genrec embed`,
  );
}

function similarity({ data, dim }: Embeddings, a: number, b: number): number {
  if (a === b) return 1;
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += data[a * dim + i] * data[b * dim + i];
  return Math.min(1, Math.max(-1, sum));
}
