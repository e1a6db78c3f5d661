import type { Sample } from "../../data/dataset.ts";
import { loadIndex } from "../../data/formats/index_file.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { DecodeModel } from "../../models/decoder/decode.ts";
import type { NextItemPrompts } from "../../prompts/next_item.ts";
import { sidPrompts } from "../../prompts/sids.ts";
import { formatSid, SidVocabulary } from "../../sid/tokens.ts";
import { loadDecoder } from "../../train/run/checkpoint.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { scratchDecoder } from "../../train/sft/scratch_decoder.ts";
import { exists } from "../results/command.ts";
import { longHistories, randomEncoderDecoder } from "../speed/encoder_decoder_inputs.ts";
import { smallDecoderConfig } from "../results/small_decoder.ts";
import { writeModel } from "./write_model.ts";

/** A model as both sides read it, and the users that it is asked about. */
export interface GenerateInputs {
  /** In words, for the report. */
  name: string;
  /** Hugging Face directory of `decoder`. */
  model: string;
  decoder: DecodeModel;
  prompts: NextItemPrompts;
  samples: readonly Sample[];
}

const MAX_HISTORY = 10;
const SEED = 42;
// Wide enough that the SIDs of a user differ in score by more than float32 rounds.
const RANDOM_RANGE = 0.1;

/** A trained run that knows SID tokens alone: its checkpoint and the test users of its dataset. */
export async function runInputs(device: Device, path: string, which: string): Promise<GenerateInputs> {
  const run = new RunDirectory(path);
  const { data, maxHistory } = await run.readJson("config.json") as { data: string; maxHistory: number };
  const dataset = await loadDataset(data);
  const sids = await loadIndex(`${path}/index.json`, dataset.items.length);
  const vocabulary = SidVocabulary.fromJSON(await run.readJson("vocabulary.json"));
  const model = await run.checkpoint(which);
  return {
    name: `${path}, ${which}`,
    model,
    decoder: await loadDecoder(device, model),
    prompts: sidPrompts(vocabulary, sids, maxHistory),
    samples: dataset.samples.test,
  };
}

/**
 * A small model with random weights, saved to `folder`, and the test users of a dataset with published SIDs; without
 * one, random histories over a random catalogue. Histories are repeated until they have `items` items; 0: as they are.
 */
export async function randomInputs(
  device: Device,
  folder: string,
  data: string,
  items: number,
): Promise<GenerateInputs> {
  const dataset = await exists(data) ? await loadDataset(data) : undefined;
  const sids = dataset?.sids ?? randomSids(3000);
  const prompts = sidPrompts(SidVocabulary.fromSids(sids), sids, items || MAX_HISTORY);
  const size = { width: 128, layers: 4, vocabulary: prompts.vocabulary };
  const config = {
    ...smallDecoderConfig(size, 64 + 4 * items),
    initializer_range: RANDOM_RANGE,
  };
  const decoder = scratchDecoder(device, config, SEED);
  await writeModel(folder, config, decoder.parameters);
  const name = `random weights, ${dataset ? dataset.name : "random histories"}`;
  const samples = (dataset?.samples.test ?? randomSamples(sids.length, 2000)).map((sample) => ({
    ...sample,
    history: items === 0
      ? sample.history
      : Array.from({ length: items }, (_, i) => sample.history[i % sample.history.length]),
  }));
  return { name, model: folder, decoder, prompts, samples };
}

/** An encoder-decoder of that size with random weights, saved to `folder`, and the test users of a dataset with SIDs. */
export async function encoderDecoderInputs(
  device: Device,
  folder: string,
  data: string,
  size: string,
): Promise<GenerateInputs> {
  const { name, tokens, samples } = await longHistories(data);
  const decoder = randomEncoderDecoder(device, size, tokens, RANDOM_RANGE);
  await writeModel(folder, decoder.config, decoder.parameters);
  return {
    name: `random weights, encoder-decoder ${size}, ${name}`,
    model: folder,
    decoder,
    prompts: tokens,
    samples: samples.test,
  };
}

function randomSids(count: number): string[][] {
  const stream = new PhiloxStream(SEED, "sids");
  const sids = new Map<string, string[]>();
  while (sids.size < count) {
    const sid = formatSid([stream.below(64), stream.below(256), stream.below(256)]);
    sids.set(sid.join(""), sid);
  }
  return [...sids.values()];
}

function randomSamples(items: number, count: number): Sample[] {
  const stream = new PhiloxStream(SEED, "histories");
  return Array.from({ length: count }, (_, user) => ({
    user: String(user),
    history: Array.from({ length: 1 + stream.below(MAX_HISTORY) }, () => stream.below(items)),
    target: stream.below(items),
  }));
}
