import type { Corpus, CorpusSample } from "../../corpus.ts";
import { splits } from "../../dataset.ts";
import { PAD } from "./read.ts";
import { interLines, NAME } from "../recbole/write.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import { checkFileName } from "../../../base/files/file_name.ts";
import type { DatasetWriter, NamedFile } from "../../convert/writer.ts";

/** ETEGRec's files: samples with raw ids, the log with splits, item numbers from 1, counts. */
export const etegrecWriter: DatasetWriter = {
  name: "etegrec",
  holds: [
    "item ids",
    "user ids",
    "times",
    "ratings",
    "which split a sample is in",
    "the order of samples",
    "interactions that no sample shows",
  ],

  *files(corpus: Corpus): Generator<NamedFile> {
    const { items, users, interactions, samples } = corpus;
    const name = checkFileName(corpus.name, NAME);
    for (const split of splits) yield [`${name}.${split}.jsonl`, sampleLines(samples[split], corpus)];
    yield [`${name}.inter`, interLines(corpus)];
    const numbers = items.map(({ id }, item) => [id, item + 1]);
    yield [`${name}.emb_map.json`, [
      JSON.stringify({ [PAD]: 0, ...Object.fromEntries(numbers) }, null, 2) + "\n",
    ]];
    const sequences = splits.map((split) => [`${split}_sequences`, samples[split].length]);
    const statistics = {
      num_users: users.length,
      num_items: items.length,
      num_interactions: interactions.users.length,
      ...Object.fromEntries(sequences),
    };
    yield ["dataset_stats.json", [JSON.stringify(statistics, null, 2) + "\n"]];
  },

  leftOut: (corpus) => brokenTexts(corpus, ["item ids", "user ids"], `${corpus.name}.inter`),
};

function* sampleLines(samples: readonly CorpusSample[], { users, items }: Corpus): Generator<string> {
  for (const { user, history, target } of samples) {
    const line = {
      user_id: users[user].id,
      target_id: items[target].id,
      inter_history: history.map((item) => items[item].id),
    };
    yield JSON.stringify(line) + "\n";
  }
}
