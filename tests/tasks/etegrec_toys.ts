// ETEGRec's own files of four items, and settings that train on them in a moment.
import { join } from "node:path";
import { writeNpy } from "../../base/npy.ts";
import { withFiles } from "../data/formats/minionerec/fixture.ts";

/** A directory as ETEGRec's preparation leaves it: the map does not number items as they appear. */
const samples = (history: string[], target: string) =>
  ["u1", "u2"].map((user) => JSON.stringify({ user_id: user, target_id: target, inter_history: history }))
    .join("\n") + "\n";
const toys = {
  "toys/Toys.train.jsonl": samples(["B1"], "B2") + samples(["B1", "B2"], "B3"),
  "toys/Toys.valid.jsonl": samples(["B1", "B2", "B3"], "B4"),
  "toys/Toys.test.jsonl": samples(["B1", "B2", "B3", "B4"], "B1"),
  "toys/Toys.emb_map.json": '{"[PAD]": 0, "B4": 1, "B1": 2, "B2": 3, "B3": 4}',
};

/** Vectors of the items, in the order of the map. */
export const ROWS = [[1, 0, 0, 2], [0, 1, 0, -2], [0, 0, 1, 1], [1, 1, 0, -1]];

/** Runs `use` in a folder with `toys/`, a dataset, and vectors of its items: some fit, `other.npy` does not. */
export async function withToys(use: (dir: string) => Promise<void>): Promise<void> {
  await withFiles(toys, async (dir) => {
    const write = (name: string, rows: number[][]) =>
      Deno.writeFile(
        join(dir, name),
        writeNpy([rows.length, rows[0].length], Float32Array.from(rows.flat())),
      );
    await write("collab.npy", ROWS);
    await write("text.npy", [[0, 0], ...ROWS.map(([a, b]) => [3 * a + 1, 3 * b])]);
    await write("other.npy", [...ROWS, ...ROWS]);
    await use(dir);
  });
}

/** Settings of tiny stages. */
export const TINY = {
  dModel: 4,
  dKv: 4,
  dFf: 4,
  numLayers: 1,
  numDecoderLayers: 1,
  numHeads: 1,
  tokenizerLevels: 2,
  tokenizerCodebookSize: 3,
  tokenizerLatentDim: 4,
  tokenizerLayers: [4],
  tokenizerEpochs: 2,
  numTrainEpochs: 2,
  warmEpochs: 0,
};

/** The same as flags. */
export const TINY_FLAGS = Object.entries(TINY).flatMap(([key, value]) => [
  `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  String(value),
]);
