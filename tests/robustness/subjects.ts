import { z } from "zod";
import { INTERACTION_TABLE, ITEM_TABLE, SAMPLE_TABLE, USER_TABLE } from "../../data/formats/genrec/layout.ts";
import type { ParquetReader } from "../../base/files/parquet/read.ts";
import { readMatrix, writeNpy } from "../../base/npy.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { surveyed } from "../../data/convert/survey.ts";
import { writeFolder } from "../../data/convert/dataset_folder.ts";
import { corpusParts } from "../../data/corpus_parts.ts";
import * as writers from "../../data/convert/registry.ts";
import { loadCorpus } from "../../data/formats/load.ts";
import { withGguf } from "../../models/gguf/files.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import { readTokenizer } from "../../models/tokenizer/from_folder.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { readEvaluation } from "../../tasks/_evaluate/evaluation_folder.ts";
import { readRows } from "../../tasks/_evaluate/row_file.ts";
import { loadTrainer } from "../../train/run/checkpoint.ts";
import { readStored } from "../stored_state.ts";
import { trickyCorpus } from "../data/convert/tricky_corpus.ts";
import { PLAIN } from "../data/convert/written.ts";

/** A file that a reader is given damaged. */
export interface Subject {
  /** Name of the file in the folder, which names the subject with its folder. */
  file: string;
  /** Folder with it and what belongs to it. */
  folder: string;
  /** Reads the folder. */
  read(folder: string): Promise<unknown>;
}

const TABLES = {
  items: ITEM_TABLE,
  users: USER_TABLE,
  interactions: INTERACTION_TABLE,
  train: SAMPLE_TABLE,
} as const;

/** Writes every kind of file that is read, sound, into folders below `root`. */
export async function subjects(root: string, reader: ParquetReader): Promise<Subject[]> {
  const found: Subject[] = [];
  for (const writer of Object.values(writers)) {
    const folder = `${root}/${writer.name}`;
    const files = await writeFolder(
      folder,
      (written) => writer.files(surveyed(corpusParts(trickyCorpus())), PLAIN, written),
    );
    for (const file of files) {
      if (!file.endsWith(".parquet")) found.push({ file, folder, read: loadCorpus });
    }
  }
  for (const [name, type] of Object.entries(TABLES)) {
    const file = `${name}.parquet`;
    // Of a table that is known to have changed, the reader waits for a second only.
    const changed = { sha256: "", by: "nothing", onFault: () => {} };
    const read = (folder: string) => Array.fromAsync(reader.groups(`${folder}/${file}`, type, changed));
    found.push({ file, folder: `${root}/genrec`, read });
  }
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const add = async (name: string, files: Record<string, Uint8Array>, read: Subject["read"]) => {
    const folder = `${root}/${name}`;
    await Deno.mkdir(folder);
    for (const [file, bytes] of Object.entries(files)) {
      await Deno.writeFile(`${folder}/${file}`, bytes);
      found.push({ file, folder, read });
    }
  };
  const data = Float32Array.of(1, 2, 3, 4, 5, 6), tensor = { shape: [2, 3], data };
  await add(
    "npy",
    { "items.npy": writeNpy([2, 3], data) },
    async (folder) => readMatrix(await diskFiles.readFile(`${folder}/items.npy`)),
  );
  await add(
    "safetensors",
    { "model.safetensors": writeSafetensors(new Map([["a", tensor], ["b", tensor]])) },
    async (folder) => readSafetensors(await diskFiles.readFile(`${folder}/model.safetensors`)),
  );
  await add("checkpoint", {
    "trainer.json": text({
      step: 4,
      best: { score: 0.5, step: 2, stale: 1 },
      seconds: 3.5,
      pending: { sums: [1], shares: [[1, 2]] },
      validationDue: false,
    }),
    "trainer.safetensors": writeSafetensors(new Map([["m", { shape: [6], data }]])),
  }, async (folder) => readStored((await loadTrainer(folder)).arrays));
  const row = {
    row: 0,
    user: "u",
    history: [1, 2],
    target: 3,
    rank: 1,
    items: [2, 3],
    titles: ["a", "b"],
    scores: [-1, -2],
  };
  await add("evaluation", {
    "metrics.json": text({ run: "r", data: "d", split: "test", users: 1, beams: 2, secondsPerUser: 0.1 }),
    "predictions.jsonl": text(row),
  }, async (folder) => {
    await Array.fromAsync(readRows(`${folder}/predictions.jsonl`));
    await readEvaluation(folder, "group");
  });
  await add("tokenizer", {
    "tokenizer.json": text({
      model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"] },
      added_tokens: [{ id: 3, content: "<end>", special: true }],
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
      decoder: { type: "ByteLevel" },
    }),
    "tokenizer_config.json": text({ eos_token: "<end>", pad_token: "<end>" }),
  }, (folder) => readTokenizer(folder, diskFiles));
  const golden = (name: string) => Deno.readFile(new URL(`../golden/decoder/${name}`, import.meta.url));
  const table = "model.embed_tokens.weight";
  await add("gguf", { "tiny.gguf": await golden("tiny.gguf") }, async (folder) => {
    const files = withGguf(diskFiles);
    await readTokenizer(`${folder}/tiny.gguf`, files);
    await (await Pretrained.open(`${folder}/tiny.gguf`, files)).read(table);
  });
  await add(
    "hugging_face",
    {
      "config.json": await golden("llama/config.json"),
      "model.safetensors": await golden("llama/model.safetensors"),
    },
    async (folder) => await (await Pretrained.open(folder, diskFiles)).read(table),
  );
  const task = {
    name: "any",
    summary: "",
    examples: [],
    config: z.strictObject({
      data: z.string().describe("data"),
      steps: z.int().default(1).describe("steps"),
    }),
    run: () => Promise.resolve(),
  };
  await add(
    "config",
    { "run.yaml": new TextEncoder().encode("data: &a shop\nsteps: 12\n# note\n") },
    (folder) => Promise.resolve(parseArgs(task, ["--config", `${folder}/run.yaml`])),
  );
  return found;
}
