import { inObjectOrder, objectPieces } from "../../../base/json.ts";
import type { CorpusSample } from "../../corpus.ts";
import { rowsIn } from "../../corpus_parts.ts";
import { splits } from "../../dataset.ts";
import { PAD } from "./read.ts";
import { type CatalogueIds, idsOf, interLines, NAME } from "../recbole/write.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import type { SurveyedCorpus } from "../../convert/survey.ts";
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

  async *files(corpus: SurveyedCorpus): AsyncGenerator<NamedFile> {
    const { sizes } = corpus;
    const name = checkFileName(corpus.name, NAME);
    const { interactions, samples } = await corpus.survey();
    const ids = await idsOf(corpus);
    for (const split of splits) {
      yield [`${name}.${split}.jsonl`, sampleLines(corpus.samples(split), ids)];
    }
    yield [`${name}.inter`, interLines(corpus, ids)];
    yield [`${name}.emb_map.json`, numbersFromOne(ids.items)];
    const sequences = splits.map((split) => [`${split}_sequences`, samples[split]]);
    const statistics = {
      num_users: sizes.users,
      num_items: sizes.items,
      num_interactions: interactions,
      ...Object.fromEntries(sequences),
    };
    yield ["dataset_stats.json", [JSON.stringify(statistics, null, 2) + "\n"]];
  },

  leftOut: (corpus) => brokenTexts(corpus, ["item ids", "user ids"], `${corpus.name}.inter`),
};

function* numbersFromOne(ids: Iterable<string>): Generator<string> {
  const keys = [PAD, ...ids];
  const entries = inObjectOrder(keys)[Symbol.iterator]().map((
    number,
  ): [string, number] => [keys[number], number]);
  yield* objectPieces(entries, 2);
  yield "\n";
}

async function* sampleLines(
  samples: AsyncIterable<readonly CorpusSample[]>,
  { users, items }: CatalogueIds,
): AsyncGenerator<string> {
  for await (const { user, history, target } of rowsIn(samples)) {
    const line = {
      user_id: users.at(user),
      target_id: items.at(target),
      inter_history: history.map((item) => items.at(item)),
    };
    yield JSON.stringify(line) + "\n";
  }
}
