import { basename } from "node:path";
import { z } from "zod";
import { diskFiles } from "../../base/files/disk.ts";
import { readJson } from "../../base/files/json_file.ts";
import { readText } from "../../base/files/text_file.ts";
import { UserError } from "../../base/user_error.ts";
import { formatIndex } from "../../data/formats/index_file.ts";
import { popularItems } from "../../eval/item_lists.ts";
import { readDecoderConfig } from "../../models/decoder/config.ts";
import { ENCODER_DECODER_TYPE, parseEncoderDecoderConfig } from "../../models/encoder_decoder/config.ts";
import { savePretrained } from "../../models/hugging_face/save_pretrained.ts";
import { SINGLE } from "../../models/hugging_face/weight_files.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import { SidVocabulary } from "../../sid/tokens.ts";
import type { SidRun } from "../../train/runs/sid_model.ts";
import { architectureOf } from "../../train/run/checkpoint.ts";
import { fileEntries, type SiteItems, type SiteModel } from "../../web/site/site.ts";

/** Number formats of exported weights, and their names in safetensors. */
export const WEIGHT_FORMATS = { float16: "F16", float32: "F32" } as const;

/**
 * A model as a page reads it, and its files by name: weights, config, vocabulary, SIDs, titles. Throws `UserError` for a
 * model that reads text, whose tokenizer and prompts a page does not have.
 */
export async function siteModel(
  run: SidRun,
  dtype: keyof typeof WEIGHT_FORMATS,
): Promise<{ model: SiteModel; files: Map<string, Uint8Array<ArrayBuffer>> }> {
  const { home, weights, dataset, maxHistory, normalisation } = run;
  const files = await modelFiles(run, dtype);
  const model = {
    dataset: dataset.name,
    run: basename(home.given),
    checkpoint: weights.checkpoint,
    architecture: await architectureOf(weights.folder),
    maxHistory,
    normalisation,
    dtype,
    files: await fileEntries(files),
  };
  return { model, files };
}

async function modelFiles(
  run: SidRun,
  dtype: keyof typeof WEIGHT_FORMATS,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { prompts, home, weights: { folder }, dataset: { items, samples }, sids } = run;
  if (prompts.text) {
    throw new UserError(
      `Cannot export ${home.given} for the web: it reads text, expected a model of SIDs alone, such as a run of ` +
        "`genrec sft` without --model and --tokenizer. Train one",
    );
  }
  const ids = items.map(({ id }) => id);
  const named: SiteItems = {
    titles: items.map(({ title }) => title),
    ...ids.every((id) => id !== undefined) && { ids },
    popular: popularItems(samples.train, items.length),
  };
  const encode = (text: string) => new TextEncoder().encode(text);
  const files = new Map([
    ["index.json", encode(formatIndex(sids, "compact"))],
    ["items.json", encode(JSON.stringify(named))],
  ]);
  const isPair = await architectureOf(folder) === ENCODER_DECODER_TYPE;
  if (!isPair) files.set("vocabulary.json", encode(JSON.stringify(SidVocabulary.fromSids(sids).toJSON())));
  const path = `${folder}/config.json`;
  const config = isPair
    ? parseEncoderDecoderConfig(await readJson(path, z.unknown()), path)
    : readDecoderConfig(await readText(path), path);
  const tensors = readSafetensors(await diskFiles.readFile(`${folder}/${SINGLE}`), `${folder}/${SINGLE}`);
  const shapes = Array.from(tensors, ([name, { shape }]) => ({ name, shape }));
  const saved = savePretrained(config, shapes, stream(), { dtype: WEIGHT_FORMATS[dtype] });
  for await (const { name, bytes } of saved) files.set(name, bytes);
  return files;

  async function* stream() {
    for (const [name, tensor] of tensors) yield await Promise.resolve({ name, ...tensor });
  }
}
