import { diskFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import { highest } from "../../eval/highest.ts";
import { type ItemModel, ItemScores } from "../../models/items/item_model.ts";
import { readFileHeader } from "../../models/safetensors/header.ts";
import { type StoredTensor, widen } from "../../models/safetensors/safetensors.ts";
import type { RankedItems, TrainedBaseline } from "./method.ts";

/**
 * The tensors of a checkpoint's `model.safetensors`, of which memory holds nothing else. Throws {@link UserError} where it is
 * missing or damaged.
 */
export async function readWeights(
  folder: string,
): Promise<{ path: string; tensors: Map<string, StoredTensor> }> {
  const path = `${folder}/model.safetensors`;
  await Deno.stat(path).catch((error) => {
    const why = error instanceof Deno.errors.NotFound ? "no such file" : error.message;
    throw new UserError(`Cannot read ${path}: ${why}. Expected a checkpoint of \`genrec baseline\``);
  });
  const { entries } = await readFileHeader(path, diskFiles);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const { buffer } = await diskFiles.readRange(path, begin, end);
    tensors.set(name, { dtype, shape, data: widen(buffer, dtype) });
  }
  return { path, tensors };
}

/**
 * Fills a model with the weights of a checkpoint. Throws {@link UserError} for files that are missing or damaged, and
 * weights of other sizes than the config.json beside them tells.
 */
export async function loadWeights(model: ItemModel, folder: string): Promise<void> {
  const { path, tensors } = await readWeights(folder);
  try {
    model.parameters.load(tensors, path);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      `${error.message}. Put back model.safetensors and config.json of one checkpoint, or train again`,
    );
  }
}

/** A model over item numbers that ranks by the scores of all items. It takes over the model. */
export function itemBaseline(model: ItemModel & { destroy(): void }): TrainedBaseline {
  const scores = new ItemScores(model);
  return {
    items: model.items,
    scoreAll: (histories) => scores.of(histories),
    async scores(history) {
      const [list] = await Array.fromAsync(scores.of([history]));
      return list;
    },
    async rank(histories, k, wait) {
      const lists: RankedItems[] = [];
      for await (const list of scores.of(histories, wait)) {
        const items = highest(list, k);
        lists.push({ items, scores: items.map((item) => list[item]) });
      }
      return lists;
    },
    async embeddings() {
      const name = model.embeddingName;
      for await (const { shape, data } of model.parameters.readTensors(undefined, (each) => each === name)) {
        return { dim: shape[1], data };
      }
      throw new RangeError(`Model has no parameter ${name}`);
    },
    destroy() {
      scores.destroy();
      model.destroy();
    },
  };
}
