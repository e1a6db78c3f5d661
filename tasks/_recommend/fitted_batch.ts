import {
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  withReasons,
} from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { fittedSize, type SizedWork } from "../_cli/memory.ts";

/** Who is to be answered, and by what. */
export interface AskedBatch extends Pick<SizedWork, "inProcess" | "keep"> {
  /** Opens the recommender on another device. */
  again(device: () => Promise<Device>): Promise<Recommender>;
  /** Those who take most, first. */
  asked: readonly RecommendRequest[];
  options: RecommendOptions;
}

/**
 * How many of `asked` to answer at once: as many as the adapter is best at and there is memory for, which is said.
 * Undefined where nothing is computed on a device. Throws as `fittedSize()`.
 */
export function fittedBatch(
  device: () => Promise<Device>,
  { again, asked, options, inProcess, keep }: AskedBatch,
  io: Pick<TaskIO, "log">,
): Promise<number | undefined> {
  return fittedSize(
    device,
    {
      what: ["answer", "users"],
      inProcess,
      keep,
      async rehearse(device, size, onSize) {
        const recommender = await again(device);
        const tried = Math.min(size || await recommender.batchSize(options), asked.length);
        onSize(tried);
        // Somebody who is answered alone has kernels of their own.
        for (const count of new Set([1, tried])) {
          await recommender.recommend(await withReasons(recommender, asked.slice(0, count)), options);
        }
        recommender.destroy();
      },
    },
    0,
    io,
  );
}
