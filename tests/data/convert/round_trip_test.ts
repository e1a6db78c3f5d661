// Published files through our format and back.
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import * as writers from "../../../data/convert/registry.ts";
import type { DatasetWriter } from "../../../data/convert/writer.ts";
import { loadCorpus } from "../../../data/formats/load.ts";
import { realData } from "../downloaded.ts";
import { content, written } from "./written.ts";

interface Published {
  dataset: string;
  writer: DatasetWriter;
  /** Files whose bytes come back. */
  files: string[];
}

const published: Published[] = [
  {
    dataset: "minionerec-industrial",
    writer: writers.minionerecWriter,
    files: [
      "train.csv",
      "valid.csv",
      "test.csv",
      "index.json",
      "index.constrained.json",
      "item.json",
      "info.txt",
    ],
  },
  {
    dataset: "mimigenrec-industrial",
    writer: writers.mimigenrecWriter,
    files: [
      "id2sid.json",
      "new_tokens.json",
      "dataset_info.json",
      "sft/valid.json",
      "sft/test.json",
      "rl/valid.json",
      "rl/test.json",
    ],
  },
  { dataset: "letter-instruments", writer: writers.letterWriter, files: ["inter.json", "index.json"] },
];

for (const { dataset, writer, files } of published) {
  const dir = realData(dataset);
  Deno.test({
    name: `${dataset} comes back from our format byte for byte`,
    ignore: dir === undefined,
    async fn() {
      const original = await loadCorpus(dir!);
      await written(original, writers.genrecWriter, async (ours) => {
        const read = await loadCorpus(ours);
        deepStrictEqual(content(read), content(original));
        deepStrictEqual(read.unread, []);
        await written(read, writer, async (back) => {
          for (const file of files) {
            strictEqual(
              await Deno.readTextFile(`${back}/${file}`),
              await Deno.readTextFile(`${dir}/${file}`),
              file,
            );
          }
        });
      });
    },
  });
}

const mimigenrec = realData("mimigenrec-industrial"), minionerec = realData("minionerec-industrial");
Deno.test({
  name: "the rows of mimigenrec-industrial before their shuffle are those of minionerec-industrial",
  ignore: mimigenrec === undefined || minionerec === undefined,
  async fn() {
    const [mimi, mini] = [await loadCorpus(mimigenrec!), await loadCorpus(minionerec!)];
    // Of items with one SID the first is meant: compare under the SIDs.
    const joined = mimi.sids!.map((sid) => sid.join(""));
    for (const split of ["valid", "test"] as const) {
      const rows = ({ samples }: typeof mimi) =>
        samples[split].map(({ history, target }) => [...history, target].map((item) => joined[item]));
      deepStrictEqual(rows(mimi), rows(mini));
    }
  },
});
