import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Corpus } from "../../../data/corpus.ts";
import * as writers from "../../../data/convert/registry.ts";
import { writeFolder } from "../../../data/convert/write_folder.ts";
import type { DatasetWriter } from "../../../data/convert/writer.ts";
import { loadCorpus } from "../../../data/load.ts";
import { realData } from "../real_data.ts";

/** Writes a corpus in a format and hands over the directory. */
async function written(corpus: Corpus, writer: DatasetWriter, use: (dir: string) => Promise<void>) {
  const parent = await Deno.makeTempDir();
  try {
    await writeFolder(`${parent}/out`, writer.files(corpus, { tokenOrder: "text" }));
    await use(`${parent}/out`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** All of a corpus but where it came from. */
function content({ files: _files, unread: _unread, ...rest }: Corpus) {
  return rest;
}

interface Published {
  dataset: string;
  writer: DatasetWriter;
  /** Files whose bytes come back. */
  files: string[];
}

const published: Published[] = [
  {
    dataset: "minionerec-industrial",
    writer: writers.minionerec,
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
    writer: writers.mimigenrec,
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
  { dataset: "letter-instruments", writer: writers.letter, files: ["inter.json", "index.json"] },
];

for (const { dataset, writer, files } of published) {
  const dir = realData(dataset);
  Deno.test({
    name: `${dataset} comes back from our format byte for byte`,
    ignore: dir === undefined,
    async fn() {
      const original = await loadCorpus(dir!);
      await written(original, writers.genrec, async (ours) => {
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
