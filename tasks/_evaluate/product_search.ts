import { UserError } from "../../base/user_error.ts";
import { ProductSearch } from "../../decode/product_search.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { DecodeModel } from "../../models/decoder/decode.ts";
import { CodeTokens } from "../../prompts/code_tokens.ts";
import { formatSid } from "../../sid/tokens.ts";
import { openTrie, type TrainedRun } from "../../train/trained_run.ts";

/** Search over all codewords. Throws {@link UserError} for a run whose model has no table for each level. */
export function openProductSearch(
  device: Device,
  run: TrainedRun,
  model: DecodeModel,
  beams: number,
): ProductSearch {
  if (run.prompts instanceof CodeTokens) {
    return new ProductSearch(device, model, openTrie(device, run), { beams, sizes: run.prompts.sizes });
  }
  throw new UserError(
    `Cannot search ${run.directory.path} with --unconstrained: its model has no table for each level of the SIDs, ` +
      "expected a run of `genrec etegrec` or of `genrec baseline --model tiger`. Leave it out",
  );
}

/** Lists of it: SIDs of the catalogue, and what else was written, in its place. */
export function productRecommender(search: ProductSearch, { prompts }: TrainedRun): Recommender {
  return async (samples) => {
    const lists = await search.run(samples.map((sample) => prompts.prompt(sample.history, sample)));
    return lists.map(({ codes, scores }) => ({
      sids: codes.map((written) => formatSid(written).join("")),
      scores,
    }));
  };
}
