import { join } from "node:path";
import { z } from "zod";
import { formatIndex, loadIndex } from "../../data/formats/index_file.ts";
import { readJson } from "../../base/files/json_file.ts";
import { numbered } from "../../base/json.ts";
import { RawIndex } from "../../data/formats/schema.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { BeamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import { buildTrie } from "../../sid/trie.ts";
import { loadEncoderDecoder } from "../run/checkpoint.ts";
import {
  encoderDecoderConfig,
  encoderDecoderFields,
  pairTrainingFields,
} from "../encoder_decoder/pair_config.ts";
import { trainPairs } from "../encoder_decoder/pair_training.ts";
import { readRetrieval, type Retrieval, retrievalFiles } from "../encoder_decoder/retrieval.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import type { BaselineMethod, TrainedBaseline } from "./method.ts";

const Config = z.strictObject({
  sids: z.string().default("").describe(
    "index.json of the SIDs, or the folder of one; without it, those that the dataset ships",
  ),
  ...encoderDecoderFields,
  ...pairTrainingFields,
});
/** Settings of {@link tiger}. */
export type TigerConfig = z.output<typeof Config>;

/**
 * Generative retrieval (Rajput et al. 2023, TIGER): a T5 that reads the SIDs of a history and writes that of the next
 * item, each level with a table of its own, searched inside the catalogue.
 */
export const tiger: BaselineMethod<TigerConfig> = {
  name: "tiger",
  summary: "a T5 over semantic IDs (Rajput et al. 2023)",
  Config,
  async train(input, config) {
    const { device, dataset, run } = input;
    const sids = await sidsOf(dataset, config.sids);
    const tokens = CodeTokens.fromSids(sids, config);
    const model = new EncoderDecoder(device, encoderDecoderConfig(config, tokens.sizes));
    model.initialize(config.seed, config.initializerRange);
    try {
      return await trainPairs(model, tokens, {
        ...input,
        companions: retrievalFiles(sids, config),
        async onStart(facts) {
          await input.onStart?.(facts);
          await run.write("index.json", formatIndex(sids));
        },
      }, config);
    } finally {
      model.destroy();
    }
  },
  async load(device, folder) {
    const { maxHistory, normalisation } = await readRetrieval(folder);
    const path = join(folder, "index.json");
    const sids = numbered(await readJson(path, RawIndex), path);
    const model = await loadEncoderDecoder(device, folder);
    const tokens = CodeTokens.fromSids(sids, { maxHistory, sizes: model.config.code_sizes });
    return retrieval(device, model, sids, tokens, { normalisation, maxHistory });
  },
};

async function sidsOf({ name, sids, items }: Dataset, path: string): Promise<string[][]> {
  if (path !== "") {
    return await loadIndex(await isFile(path) ? path : join(path, "index.json"), items.length);
  }
  if (sids) return sids;
  throw new UserError(
    `Cannot train tiger on ${name} without SIDs: it ships none. Make some with \`genrec sid\` and name them with --sids`,
  );
}

function retrieval(
  device: Device,
  model: EncoderDecoder,
  sids: readonly (readonly string[])[],
  tokens: CodeTokens,
  decoding: Retrieval,
): TrainedBaseline {
  const trie = new DeviceTrie(device, buildTrie(tokens.itemTokens));
  const searches = new Map<number, BeamSearch>();
  const searchOf = (beams: number) => {
    if (!searches.has(beams)) {
      searches.set(
        beams,
        new BeamSearch(device, model, trie, { beams, normalisation: decoding.normalisation }),
      );
    }
    return searches.get(beams)!;
  };
  return {
    items: tokens.itemTokens.length,
    sids: sids.map((sid) => sid.join("")),
    search: decoding,
    async rank(histories, k) {
      const search = searchOf(k);
      const lists = [];
      for (let start = 0; start < histories.length; start += search.promptsPerBatch) {
        const batch = histories.slice(start, start + search.promptsPerBatch);
        for (const { leaves, scores } of await search.run(batch.map((history) => tokens.prompt(history)))) {
          lists.push({ items: leaves.map((leaf) => trie.host.itemsOf(leaf)[0]), scores });
        }
      }
      return lists;
    },
    destroy() {
      for (const search of searches.values()) search.destroy();
      trie.destroy();
      model.destroy();
    },
  };
}
