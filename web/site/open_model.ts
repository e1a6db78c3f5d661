import { numbered, parseJson } from "../../base/json.ts";
import type { Dataset } from "../../data/dataset.ts";
import { RawIndex } from "../../data/formats/schema.ts";
import type { WeightsDevice } from "../../eval/loaded_weights.ts";
import { SidRecommender } from "../../eval/sid_recommender.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { ENCODER_DECODER_TYPE, parseEncoderDecoderConfig } from "../../models/encoder_decoder/config.ts";
import { loadEncoderDecoder } from "../../models/encoder_decoder/load.ts";
import { Pretrained } from "../../models/hugging_face/pretrained.ts";
import type { ModelFiles } from "../../models/hugging_face/weight_files.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { sidPrompts } from "../../prompts/sids.ts";
import { SidVocabulary } from "../../sid/tokens.ts";
import { parseSiteItems, type SiteModel } from "./site.ts";

/** A model that is opened. */
export interface OpenedModel {
  recommender: SidRecommender;
  /** Item numbers from the most to the least bought (N). */
  popular: readonly number[];
}

/**
 * The model of a site as a recommender; `files` has its files in `folder`. Weights are loaded with the first answer.
 * @throws {UserError} for files that are missing, damaged or do not fit each other.
 */
export async function openSiteModel(
  model: SiteModel,
  folder: string,
  files: ModelFiles,
  device?: WeightsDevice,
): Promise<OpenedModel> {
  const text = async (name: string) => new TextDecoder().decode(await files.readFile(`${folder}/${name}`));
  const { titles, ids, popular } = parseSiteItems(await text("items.json"), `${folder}/items.json`);
  const sids = numbered(
    parseJson(await text("index.json"), `${folder}/index.json`, RawIndex),
    `${folder}/index.json`,
  );
  const { maxHistory, normalisation, run, checkpoint, architecture } = model;
  const isPair = architecture === ENCODER_DECODER_TYPE;
  const recommender = new SidRecommender({
    dataset: catalogueAlone(model.dataset, titles, ids),
    popular,
    sids,
    prompts: await prompts(),
    maxHistory,
    normalisation,
    asked: { task: "next-item" },
    settings: {},
    provenance: { kind: "site", model: architecture, run, checkpoint, data: model.dataset, index: "" },
    async load(device) {
      if (isPair) return await loadEncoderDecoder(device, folder, files);
      const pretrained = await Pretrained.open(folder, files);
      return await Decoder.load(device, pretrained, pretrained.config);
    },
  }, { device });
  return { recommender, popular };

  async function prompts(): Promise<NextItemPrompts> {
    if (isPair) {
      const { code_sizes } = parseEncoderDecoderConfig(JSON.parse(await text("config.json")));
      return CodeTokens.fromSids(sids, { sizes: code_sizes, maxHistory });
    }
    return sidPrompts(SidVocabulary.fromJSON(JSON.parse(await text("vocabulary.json"))), sids, maxHistory);
  }
}

/** A dataset of which nothing but the items is known. */
function catalogueAlone(name: string, titles: readonly string[], ids?: readonly string[]): Dataset {
  return {
    name,
    source: "",
    license: "",
    items: titles.map((title, item) => ({ title, ...(ids && { id: ids[item] }) })),
    samples: { train: [], valid: [], test: [] },
    histories: [],
    files: [],
  };
}
