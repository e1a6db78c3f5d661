import { z } from "zod";
import { count, share } from "../base/fields.ts";
import { UserError } from "../base/user_error.ts";
import { truncatedSvd } from "./text/truncated_svd.ts";
import { positiveMutualInformation } from "./text/mutual_information.ts";
import { reductionFields } from "./fields.ts";
import type { HistoryProvider } from "./provider.ts";
import type { CollaborativeConfig } from "./settings.generated.ts";
import { reducedRows } from "./text/reduced_rows.ts";

export type { CollaborativeConfig };

const { dim, singularPower, seed } = reductionFields;
const Config = z.strictObject({
  dim,
  window: count().max(1000).default(3).describe(
    "items at most this many places apart in a history count as bought together",
  ),
  contextSmoothing: share.default(0.75).describe(
    "exponent of the counts of contexts, below 1 against rare ones",
  ),
  singularPower,
  seed,
}).describe("Settings of `collaborative`.");

/**
 * Items by what they are bought with: positive pointwise mutual information of neighbours in train histories, reduced
 * by a truncated SVD to U S^p (Levy, Goldberg and Dagan 2015), each scaled to length 1. Items without neighbours get 0.
 */
export const collaborativeProvider: HistoryProvider<CollaborativeConfig> = {
  input: "histories",
  name: "collaborative",
  Config,
  async embed(context, input, { dim, window, contextSmoothing, singularPower, seed }, onProgress) {
    const information = positiveMutualInformation(input, { window, contextSmoothing });
    const { offsets, rows } = information;
    let seen = 0;
    for (let item = 0; item < rows; item++) if (offsets[item] < offsets[item + 1]) seen++;
    if (seen === 0) {
      throw new UserError(
        `Cannot embed ${rows} items: train histories bring none of them together with others, expected 2 or more. ` +
          "Use more interactions",
      );
    }
    const device = await context.device("buffer");
    const rank = Math.min(dim, seen);
    const data = reducedRows(
      await truncatedSvd(device, information, { rank, seed }, onProgress),
      singularPower,
    );
    return { dim: rank, data };
  },
};
