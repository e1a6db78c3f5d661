/**
 * Generative recommendation on WebGPU: items become semantic IDs (SIDs), a decoder learns to write the SID of the next
 * item, and a search writes only SIDs that exist. What a program usually needs is here, the rest of each room under its
 * name, such as `@genrec/genrec/sid`. docs/guides/library.md has whole programs, README.md the command line.
 *
 * ```ts ignore
 * import { openRun } from "@genrec/genrec";
 *
 * const run = await openRun("runs/mine");
 * const [candidates] = await run.recommend([{ history: [12, 845, 77] }], { k: 10, beams: 50 });
 * for (const { items: [item], score } of candidates) console.log(run.catalogue.items[item].title, score);
 * ```
 * @module
 */

export { diskFiles } from "./base/files/disk.ts";
export { readMatrix, writeNpy } from "./base/npy.ts";
export { UserError } from "./base/user_error.ts";

export { Device } from "./kernels/gpu/device.ts";
export { DeviceError } from "./kernels/gpu/device_error.ts";

export { checkDataset } from "./data/check/check.ts";
export type { Dataset, Item, Sample, Split } from "./data/dataset.ts";
export { formatIndex, loadIndex } from "./data/formats/index_file.ts";
export { loadCorpus, loadDataset } from "./data/formats/load.ts";
export { syntheticDataset } from "./data/synthetic/shop.ts";

export { collaborativeProvider } from "./embed/collaborative.ts";
export { staticProvider } from "./embed/static.ts";

export { collisionPolicy } from "./sid/collisions/by_name.ts";
export type { Embeddings } from "./sid/embeddings.ts";
export type { SidFit, SidMethod } from "./sid/method.ts";
export { rqKmeans } from "./sid/methods/rq_kmeans.ts";
export { rqKmeansConstrained } from "./sid/methods/rq_kmeans_constrained.ts";
export { rqVae } from "./sid/methods/rq_vae.ts";
export { formatSid, SidVocabulary } from "./sid/tokens.ts";
export { buildTrie, Trie } from "./sid/trie.ts";

export type { NextItemPrompts } from "./prompts/next_item.ts";
export { sidPrompts } from "./prompts/sids.ts";
export { textPrompts } from "./prompts/text.ts";

export type { DecoderConfig } from "./models/decoder/config.ts";
export { Decoder } from "./models/decoder/decoder.ts";
export { Pretrained } from "./models/hugging_face/pretrained.ts";
export { savePretrained } from "./models/hugging_face/save_pretrained.ts";
export { Tokenizer } from "./models/tokenizer/tokenizer.ts";

export { BeamSearch } from "./decode/beam_search.ts";
export { DeviceTrie } from "./decode/device_trie.ts";

export { compareRanks } from "./eval/compare.ts";
export { popularityScorer, transitionScorer } from "./eval/count_scorers.ts";
export { evaluateSplit, type Evaluation, type Prediction } from "./eval/evaluate.ts";
export { mixRanked } from "./eval/mixture.ts";
export {
  type Candidate,
  type Provenance,
  rankBy,
  rankByCounts,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
} from "./eval/recommender.ts";

export { BASELINES } from "./train/baselines/by_name.ts";
export type { BaselineMethod } from "./train/baselines/method.ts";
export { type RlConfig, rlConfig } from "./train/rl/config.ts";
export type { Reward, RewardContext, RewardGroup, RewardMethod } from "./train/rl/rewards/reward.ts";
export type { RewardFunction } from "./train/rl/rewards/user_reward.ts";
export { type RlRunInput, trainRl } from "./train/rl/trainer.ts";
export { DivergenceError } from "./train/run/divergence.ts";
export { runManifest } from "./train/run/inputs.ts";
export { PackedData } from "./train/run/packed_data.ts";
export { RunDirectory } from "./train/run/directory.ts";
export { Validation } from "./train/run/validation.ts";
export { openRun } from "./train/runs/open_run.ts";
export type { OpenRunOptions } from "./train/runs/run_kind.ts";
export { startRun } from "./train/runs/start_run.ts";
export { type SftConfig, sftConfig } from "./train/sft/config.ts";
export { sftDecoder } from "./train/sft/decoder.ts";
export { type SftInput, type SftResult, trainSft } from "./train/sft/sft.ts";
export { sidInputs } from "./train/sft/sid_inputs.ts";
export { textInputs } from "./train/sft/text_inputs.ts";
