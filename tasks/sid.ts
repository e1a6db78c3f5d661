import type { Task } from "./_cli/cli.ts";
import { addItems } from "./_sid/add_items.ts";
import { exportCheckpoint } from "./_sid/export.ts";
import { isBeyondMemory } from "./_sid/file_vectors.ts";
import { config } from "./_sid/flags.ts";
import { inspectItem } from "./_sid/inspect.ts";
import { makeSids } from "./_sid/make.ts";
import { makeSidsInParts } from "./_sid/make_in_parts.ts";

export const task: Task<typeof config> = {
  name: "sid",
  summary: "turn item embeddings into semantic IDs",
  examples: [
    "sid --embeddings items.npy --data data/mine --out sids/",
    "sid --embeddings items.npy --collab bought.npy --data data/mine --out sids/",
    "sid --data synthetic --codebook-size 32 --out sids/",
    'sid --inspect "drill bits" --sids sids/',
    "sid --method rqvae --embeddings items.npy --report-to tensorboard --out sids/",
    "sid --checkpoint best-loss --sids sids/ --out sids-loss/",
    "sid --add new_items.jsonl --sids sids/ --out sids2/",
  ],
  config,
  async run(flags, io) {
    if (flags.inspect) await inspectItem(flags, io);
    else if (flags.add) await addItems(flags, io);
    else if (flags.checkpoint) await exportCheckpoint(flags, flags.checkpoint, io);
    else if (await isBeyondMemory(flags)) await makeSidsInParts(flags, io);
    else await makeSids(flags, io);
  },
};
