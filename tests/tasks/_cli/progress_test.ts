import assert from "node:assert/strict";
import type { CorpusSample } from "../../../data/corpus.ts";
import { withProgress } from "../../../tasks/_cli/progress.ts";

Deno.test("each way through rows that come in several parts is shown, by the split; one part is not", async () => {
  const row: CorpusSample = { user: 0, history: [0], target: 1 };
  const lengths = { train: [2, 3, 1], valid: [4], test: [] };
  const shown: string[] = [];
  const watched = withProgress({
    rows: { train: 6, valid: 4, test: 0 },
    async *items() {},
    async *users() {},
    async *interactions() {},
    async *samples(split) {
      for (const length of lengths[split]) yield await Promise.resolve(new Array(length).fill(row));
    },
  }, (total, label) => {
    shown.push(`${label} of ${total}`);
    return { update: (done) => shown.push(`${done}`), stop: () => shown.push("stop") };
  });
  for (const split of ["train", "valid", "test"] as const) {
    let rows = 0;
    for await (const part of watched.samples(split)) rows += part.length;
    assert.equal(rows, lengths[split].reduce((a, b) => a + b, 0));
  }
  assert.deepEqual(shown, ["rows of train of 6", "5", "6", "stop"]);
});
