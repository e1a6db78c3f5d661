// A decoder with random weights for the built-in shop, in a folder as Hugging Face's are: sites are made from it.
import { join } from "node:path";
import type { Dataset } from "../../data/dataset.ts";
import { formatIndex } from "../../data/formats/index_file.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { Device } from "../../kernels/gpu/device.ts";
import { savePretrained } from "../../models/hugging_face/save_pretrained.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import { formatSid, SidVocabulary } from "../../sid/tokens.ts";
import { scratchConfig, scratchDecoder } from "../../train/sft/scratch_decoder.ts";

/** Codewords of each level. */
const CODEWORDS = 9;
/** Items of a prompt. */
export const MAX_HISTORY = 10;

/** Writes the folder; the dataset is the built-in one, in which two pairs of items share a SID. */
export async function writeModelFolder(folder: string): Promise<Dataset> {
  const dataset = await loadDataset("synthetic");
  const codes = dataset.items.map((
    _,
    item,
  ) => [item % CODEWORDS, Math.floor(item / 9) % 9, Math.floor(item / 81)]);
  codes[1] = codes[0];
  codes[599] = codes[300];
  const sids = codes.map(formatSid);
  const vocabulary = SidVocabulary.fromSids(sids);
  const config = scratchConfig({
    modelType: "qwen2",
    hiddenSize: 16,
    intermediateSize: 32,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    numKeyValueHeads: 2,
    tieWordEmbeddings: false,
    // Far above the usual: scores that lie apart, so that no order is a matter of rounding.
    initializerRange: 0.4,
  }, {
    vocab_size: vocabulary.size,
    max_position_embeddings: 1 + 3 * (MAX_HISTORY + 1),
    bos_token_id: vocabulary.bosId,
    eos_token_id: vocabulary.eosId,
    pad_token_id: vocabulary.padId,
  });
  const device = await Device.open();
  const decoder = scratchDecoder(device, config, 7);
  const { specs } = decoder.parameters;
  const files = savePretrained(config, specs.flatMap(partsOf), decoder.parameters.readTensors());
  await Deno.mkdir(folder, { recursive: true });
  for await (const { name, bytes } of files) await Deno.writeFile(join(folder, name), bytes);
  decoder.destroy();
  await Deno.writeTextFile(join(folder, "index.json"), formatIndex(sids));
  await Deno.writeTextFile(join(folder, "vocabulary.json"), JSON.stringify(vocabulary.toJSON()));
  return dataset;
}
