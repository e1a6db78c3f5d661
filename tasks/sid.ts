import type { Task } from "./_cli.ts";
import { config } from "./sid/flags.ts";
import { makeSids } from "./sid/make.ts";

export const task: Task<typeof config> = {
  name: "sid",
  summary: "turn item embeddings into semantic IDs",
  examples: [
    "sid --embeddings items.npy --data data/mine --out sids/",
    "sid --embeddings items.npy --collab bought.npy --method rqkmeans --out sids/",
    "sid --data synthetic --codebook-size 32 --out sids/",
  ],
  config,
  async run(flags, io) {
    await makeSids(flags, io);
  },
};
