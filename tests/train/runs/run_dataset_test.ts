import assert from "node:assert/strict";
import { runDataset } from "../../../train/runs/run_dataset.ts";

const folder = { given: "runs/a", path: "runs/a", names: [], config: { data: "no/such" }, manifest: {} };

Deno.test("a dataset that is not where a run was trained on it is told as the run's, one that the user names is not", async () => {
  await assert.rejects(runDataset(folder, "no/such"), {
    name: "UserError",
    message:
      /^Cannot load dataset no\/such: .*\. It is the dataset that runs\/a was trained on: where it is elsewhere now, name it with --data$/,
  });
  await assert.rejects(runDataset(folder, "other/none"), /other\/none: [^]*built-in data$/);
});
