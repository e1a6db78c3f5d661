// Runs that only count, so that rankers over them are quick to train.
import type { Dataset } from "../../../data/dataset.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { popularityScorer, type Scorer, transitionScorer } from "../../../eval/count_scorers.ts";
import type { Recommender } from "../../../eval/recommender.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { itemTerms } from "../../../rank/features/sources.ts";
import { RankSchema } from "../../../train/rank/config.ts";
import { rankedSplit } from "../../../train/rank/lists.ts";
import { type RankTrainingInput, trainRanker } from "../../../train/rank/training.ts";
import { RunDirectory } from "../../../train/run/directory.ts";

export const shop: Dataset = syntheticDataset({ seed: 1, items: 120, users: 400 });

/** A recommender of a scorer: what a ranker asks of one, and no more. */
function recommenderOf({ rank }: Scorer): Recommender {
  const part: Pick<Recommender, "scoreUnit" | "batchSize" | "recommend" | "destroy"> = {
    scoreUnit: "weight",
    destroy() {},
    batchSize: () => Promise.resolve(64),
    recommend: (requests, { k }) =>
      Promise.resolve(requests.map(({ history }) => {
        const { items, scores } = rank(history, k);
        return items.map((item, i) => ({ name: String(item), items: [item], score: scores[i] }));
      })),
  };
  return part as Recommender;
}

/** Two recommenders that count a train split. */
export function runsOf({ samples: { train }, items }: Dataset): Recommender[] {
  return [transitionScorer(train, items.length), popularityScorer(train, items.length)].map(recommenderOf);
}

export const settings = RankSchema.parse({
  listLength: 20,
  countCandidates: 10,
  textCandidates: 5,
  hiddenSize: 8,
  numRankers: 2,
  batchSize: 16,
  learningRate: 0.01,
  numTrainEpochs: 4,
  patience: 0,
});

/** What a ranker knows of a train split. */
export const splitOf = (dataset: Dataset) =>
  rankedSplit(dataset, itemTerms(dataset.items), runsOf(dataset), settings);

/** Trains into the folder `out`. */
export async function trainInto(
  device: Device,
  out: string,
  input: Pick<RankTrainingInput, "lists" | "valid" | "columns"> & Partial<RankTrainingInput>,
  config = settings,
) {
  const run = new RunDirectory(out);
  await run.create(input.resume ?? false);
  await run.write("config.json", "{}");
  const signal = new AbortController().signal;
  return { run, result: await trainRanker({ device, run, resume: false, signal, ...input }, config) };
}

/** Runs `use` with a new folder, which is gone afterwards. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
