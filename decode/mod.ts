/**
 * Search inside the catalogue: constrained beam search and sampling.
 * @module
 */

export {
  type BeamResult,
  BeamSearch,
  beamSearch,
  type BeamSearchOptions,
  type TracedBeams,
} from "./beam_search.ts";
export {
  ConstrainedSampler,
  type Guide,
  type SamplePlace,
  type SampleResult,
  type SamplerOptions,
} from "./constrained_sampler.ts";
export { DeviceTrie } from "./device_trie.ts";
export type { SamplingOptions } from "./sampling.ts";
export { TextWriter, type TextWriterOptions } from "./text_writer.ts";
