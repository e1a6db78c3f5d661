import { z } from "zod";
import { UserError } from "../data/user_error.ts";
import { popularity } from "../eval/baselines.ts";
import type { Task } from "./_cli.ts";
import { openDevice, VariantFlag } from "./_inputs.ts";
import { openModel, openRun, openSearch, RunFlags, type TrainedRun } from "./_run.ts";
import { tableLines } from "./_table.ts";

const config = z.strictObject({
  ...RunFlags,
  history: z.array(z.int().min(0)).min(1).describe("item numbers, oldest first, such as 12,845,77"),
  top: z.int().min(1).default(10).describe("items to show"),
  beams: z.int().min(1).default(50).describe("SIDs kept; at least --top are"),
  ...VariantFlag,
});

interface ListedItem {
  item: number;
  sid: string;
  title: string;
}

export const task: Task<typeof config> = {
  name: "recommend",
  summary: "what to show a user with this history",
  examples: ["recommend --run runs/a --history 12,845,77 --top 10"],
  config,
  async run(flags, io) {
    const run = await openRun(flags.run, flags.data);
    checkHistory(flags.history, run);
    const { device } = await openDevice(flags.variant);
    const { decoder, checkpoint } = await openModel(device, run, flags.checkpoint);
    const search = openSearch(device, run, decoder, {
      beams: Math.max(flags.beams, flags.top),
      normalisation: flags.normalisation,
    });
    const [{ leaves, scores }] = await search.run([run.prompts.prompt(flags.history)]);

    const { items, samples } = run.dataset;
    const list = (item: number): ListedItem => ({
      item,
      sid: run.sids[item].join(""),
      title: items[item].title,
    });
    const popular = popularity(samples.train, items.length).rank([], items.length).items;
    const places = new Map(popular.map((item, place) => [item, place]));
    const recommendations = leaves.flatMap((leaf, i) =>
      Array.from(search.trie.host.itemsOf(leaf))
        .sort((a, b) => places.get(a)! - places.get(b)!)
        .map((item) => ({ ...list(item), score: scores[i] }))
    ).slice(0, flags.top);

    const used = flags.history.slice(-run.maxHistory).map(list);
    if (io.json) {
      const report = { run: flags.run, checkpoint, history: flags.history.map(list), recommendations };
      console.log(JSON.stringify(report, null, 2));
      return;
    }
    io.log(`History, oldest first${used.length < flags.history.length ? ` (the last ${used.length})` : ""}:`);
    tableLines(used.map(({ item, sid, title }) => [`  ${item}`, sid, title]), [1, 2]).forEach((line) =>
      io.log(line)
    );
    io.log(`Recommendations of ${flags.run} (${checkpoint}); scores are log-probabilities:`);
    const rows = recommendations.map(({ item, sid, score, title }, i) => [
      `  ${i + 1}`,
      String(item),
      sid,
      score.toFixed(2),
      title,
    ]);
    tableLines([["  ", "item", "SID", "score", "title"], ...rows], [2, 4]).forEach((line) => io.log(line));
  },
};

function checkHistory(history: readonly number[], { dataset, data }: TrainedRun): void {
  const unknown = history.find((item) => item >= dataset.items.length);
  if (unknown === undefined) return;
  throw new UserError(
    `Cannot recommend for item ${unknown} of --history: ${data} has items 0 to ${
      dataset.items.length - 1
    }. ` +
      "Use item numbers of this dataset",
  );
}
