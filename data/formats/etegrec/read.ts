import { z } from "zod";
import type { Corpus, CorpusSample } from "../../corpus.ts";
import { type Split, splits } from "../../dataset.ts";
import { failAtOnce, type OnFault, orFault } from "../../../base/fault.ts";
import { badValue } from "../../../base/file_error.ts";
import { fileEnding, fileNamed, findFile, otherFiles, requireFile } from "../../../base/files/find_file.ts";
import type { DatasetFormat } from "../format.ts";
import { numberOf } from "../../ids.ts";
import {
  interactionsOf,
  longestHistory,
  purchasesOf,
  sequencesOf,
  splitKindOf,
  startsOf,
} from "../../interactions.ts";
import { readJson } from "../../../base/files/json_file.ts";
import { readLog } from "../recbole/log.ts";
import { readText } from "../../../base/files/text_file.ts";

/** Stands for no item in `emb_map.json`. */
export const PAD = "[PAD]";

/** One line of a split. */
const Line = z.object({ user_id: z.string(), target_id: z.string(), inter_history: z.array(z.string()) });

/** Counts, which follow from the rest. */
const STATS = fileNamed("dataset_stats.json");

/**
 * ETEGRec's directory: a JSON object a sample in `NAME.train.jsonl`, `.valid.jsonl` and `.test.jsonl`, item numbers from 1
 * in `NAME.emb_map.json`, the log in `NAME.inter`. Without the map, items are numbered by first appearance in the log.
 * Source: the files of ETEGRec (arXiv:2409.05546).
 */
export const etegrecFormat: DatasetFormat = {
  name: "ETEGRec",
  layout: "*.train.jsonl, *.valid.jsonl, *.test.jsonl, optionally *.emb_map.json, *.inter",

  async recognises(dir: string): Promise<boolean> {
    return await findFile(dir, fileEnding("train.jsonl")) !== undefined;
  },

  async read(dir: string, onFault: OnFault = failAtOnce): Promise<Corpus> {
    const paths = await Promise.all(splits.map((split) => requireFile(dir, fileEnding(`${split}.jsonl`))));
    const mapPath = await findFile(dir, fileEnding("emb_map.json")),
      logPath = await findFile(dir, fileEnding("inter"));
    const items = mapPath === undefined ? new Map<string, number>() : await readMap(mapPath);
    const mapped = items.size;
    const log = logPath === undefined ? undefined : await readLog(logPath, items, onFault);
    const users = new Map(log?.users.map((id, number) => [id, number]));
    const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
    for (const [s, split] of splits.entries()) {
      samples[split] = await readLines(paths[s], users, items, onFault);
    }
    if (mapPath !== undefined && items.size > mapped) {
      const unknown = [...items.keys()][mapped];
      onFault(
        badValue({ path: mapPath }, "every item of the splits", `no "${unknown}"`, "Make the map again"),
      );
    }
    const interactions = log?.interactions ?? interactionsOf(samples);
    const corpus: Corpus = {
      name: paths[0].split("/").at(-1)!.replace(/\.train\.jsonl$/, ""),
      source: "ETEGRec export",
      license: "that of the original data",
      split: splitKindOf(samples),
      maxHistory: longestHistory(samples),
      items: Array.from(items.keys(), (id) => ({ id, title: "", categories: [] })),
      users: Array.from(users.keys(), (id) => ({ id })),
      interactions,
      samples,
      attachments: {},
      files: [...paths, mapPath, logPath].filter((path) => path !== undefined),
      unread: log?.unread ?? [],
    };
    if (interactions.times !== undefined) addTimes(corpus);
    const stats = await findFile(dir, STATS);
    if (stats !== undefined) corpus.files.push(stats);
    corpus.unread.push(...await otherFiles(dir, corpus.files));
    return corpus;
  },
};

/** Item ids in the order of their numbers. */
async function readMap(path: string): Promise<Map<string, number>> {
  const { [PAD]: pad, ...numbers } = await readJson(path, z.record(z.string(), z.int()));
  if (pad !== 0) throw badValue({ path: `${path} at ["${PAD}"]` }, "0", pad);
  const ids = Object.entries(numbers).sort(([, a], [, b]) => a - b);
  for (const [item, [id, number]] of ids.entries()) {
    if (number !== item + 1) {
      throw badValue({ path: `${path} at ["${id}"]` }, `${item + 1}, numbers from 1 without gaps`, number);
    }
  }
  return new Map(ids.map(([id], item) => [id, item]));
}

async function readLines(
  path: string,
  users: Map<string, number>,
  items: Map<string, number>,
  onFault: OnFault,
): Promise<CorpusSample[]> {
  const lines = (await readText(path)).split(/\r?\n/);
  return lines.flatMap((text, index) => {
    if (text.trim() === "") return [];
    return orFault(onFault, () => {
      const { user_id, target_id, inter_history } = parseLine(text, path, index + 1);
      const history = inter_history.map((id) => numberOf(items, id));
      return { user: numberOf(users, user_id), history, target: numberOf(items, target_id) };
    }) ?? [];
  });
}

function parseLine(text: string, path: string, line: number): z.infer<typeof Line> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told below.
  }
  const result = Line.safeParse(value);
  if (result.success) return result.data;
  throw badValue({ path, line }, "a JSON object with user_id, target_id and inter_history", text);
}

/** Gives samples the time of the purchase that they predict. */
function addTimes({ interactions, users, samples }: Corpus): void {
  const sequences = sequencesOf(interactions, users.length), starts = startsOf(sequences);
  const purchases = purchasesOf(sequences, samples);
  for (const split of splits) {
    for (const [row, { place }] of purchases[split].entries()) {
      const sample = samples[split][row];
      const time = place === undefined ? NaN : interactions.times![starts[sample.user] + place];
      if (!Number.isNaN(time)) sample.time = time;
    }
  }
}
