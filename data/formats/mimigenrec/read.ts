import { z } from "zod";
import { corpusParts } from "../../corpus_parts.ts";
import { datasetInfo, otherRows } from "./write_tasks.ts";
import type { Corpus, CorpusSample, CorpusUser } from "../../corpus.ts";
import { type Split, splits } from "../../dataset.ts";
import { failAtOnce, type OnFault } from "../../../base/fault.ts";
import { badValue } from "../../../base/file_error.ts";
import { fileNamed, findFile, folderName, otherFiles, requireFile } from "../../../base/files/find_file.ts";
import type { DatasetFormat } from "../format.ts";
import { loadIndex, newTokens } from "../index_file.ts";
import { interactionsOf, longestHistory } from "../../interactions.ts";
import { loadItems, untitledItems } from "../item_file.ts";
import { readJson } from "../../../base/files/json_file.ts";
import { RowReader } from "./row_reader.ts";
import { STAGES } from "./rows.ts";
import { RawIndex } from "../schema.ts";
import { readText } from "../../../base/files/text_file.ts";

const IDS = fileNamed("id2sid.json");
const TOKENS = fileNamed("new_tokens.json");
const INFO = fileNamed("dataset_info.json");
const ITEMS = fileNamed("item.json");

/**
 * MIMIGenRec's directory: SIDs in `id2sid.json`, questions in `sft/` and `rl/`. A sample is a question for the next SID
 * after a history of SIDs, its place the one before the rows were shuffled, as RL rows tell it; so samples are in order
 * of time. Rows of other tasks and every wording are kept. Users are not told apart. Of items with one SID the first is
 * meant. `item.json`, which MIMIGenRec leaves elsewhere, gives titles where it is there. Source: MIMIGenRec's files.
 */
export const mimigenrecFormat: DatasetFormat = {
  name: "MIMIGenRec",
  layout: "id2sid.json, new_tokens.json, sft/*.json, rl/*.json",

  async recognises(dir: string): Promise<boolean> {
    return await findFile(dir, IDS) !== undefined;
  },

  async read(dir: string, onFault: OnFault = failAtOnce): Promise<Corpus> {
    const idsPath = await requireFile(dir, IDS), itemPath = await findFile(dir, ITEMS);
    const items = itemPath === undefined
      ? untitledItems(Object.keys(await readJson(idsPath, RawIndex)).length)
      : await loadItems(itemPath);
    const sids = await loadIndex(idsPath, items.length);
    const tokensPath = await findFile(dir, TOKENS), infoPath = await findFile(dir, INFO);
    const files = [idsPath, itemPath, tokensPath, infoPath].filter((path) => path !== undefined);
    if (tokensPath !== undefined) await checkTokens(tokensPath, sids, onFault);

    const reader = new RowReader(sids, onFault);
    const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
    for (const split of splits) {
      for (const stage of STAGES) {
        const path = await findFile(dir, fileNamed(`${split}.json`, stage));
        if (path === undefined) continue;
        files.push(path);
        await reader.add(stage, split, path);
      }
      samples[split] = reader.samples(split);
    }
    const users: CorpusUser[] = [];
    for (const split of splits) {
      for (const [place, sample] of samples[split].entries()) {
        sample.user = users.push({ id: `${split} ${place}` }) - 1;
      }
    }
    const corpus: Corpus = {
      name: reader.source ?? folderName(dir),
      source: "files in the form of MIMIGenRec; where their data comes from they do not say",
      license: "that of the original data",
      split: "time",
      maxHistory: longestHistory(samples),
      items,
      users,
      interactions: interactionsOf(samples),
      samples,
      sids,
      attachments: {},
      files,
      unread: ["who the users are, so every row has its own", ...await otherFiles(dir, files)],
    };
    await attach(corpus, reader, infoPath);
    return corpus;
  },
};

async function checkTokens(path: string, sids: string[][], onFault: OnFault) {
  const tokens = new Set(await readJson(path, z.array(z.string())));
  const missing = newTokens(sids).find((token) => !tokens.has(token));
  if (missing === undefined) return;
  onFault(badValue({ path }, `every token of id2sid.json`, `no ${missing}`, "Use files of one export"));
}

/** Keeps what the writer would not make again by itself. */
async function attach(corpus: Corpus, reader: RowReader, infoPath: string | undefined): Promise<void> {
  const { attachments } = corpus;
  if (reader.wordings.length > 0) {
    attachments["mimigenrec/wordings.json"] = JSON.stringify(reader.wordings, null, 2);
  }
  for (const stage of STAGES) {
    for (const split of splits) {
      const rows = reader.others[stage][split];
      const made = await Array.fromAsync(otherRows(corpusParts(corpus), stage, split));
      if (JSON.stringify(rows) !== JSON.stringify(made)) {
        attachments[`mimigenrec/other/${stage}/${split}.json`] = JSON.stringify(rows, null, 2);
      }
    }
  }
  if (infoPath === undefined) return;
  const info = await readText(infoPath);
  if (info !== datasetInfo(corpus)) attachments["mimigenrec/dataset_info.json"] = info;
}
