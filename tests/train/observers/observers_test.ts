import assert from "node:assert/strict";
import { type ObserverContext, scalarsOf } from "../../../train/observers/observer.ts";
import { openObservers, REPORT_TO } from "../../../train/observers/open.ts";

function context(more: Partial<ObserverContext> = {}) {
  const warnings: string[] = [];
  const tell = (message: string) => void warnings.push(message);
  const start = { firstStep: 0, standing: [] };
  return {
    warnings,
    context: { directory: "runs/a", name: "a", config: { seed: 1 }, project: "", ...start, tell, ...more },
  };
}

Deno.test("scalarsOf() names the numbers of a log line by their object, those of the line itself by train", () => {
  const line = {
    step: 20,
    loss: 2,
    tasks: { "next-item": { loss: 1 } },
    valid: { ndcg10: 0.5 },
    note: "x",
    no: null,
  };
  assert.deepEqual(scalarsOf(line), { "train/loss": 2, "tasks/next-item/loss": 1, "valid/ndcg10": 0.5 });
});

Deno.test("openObservers() writes to each name once, and none to none", async () => {
  const directory = await Deno.makeTempDir();
  const { warnings, context: run } = context({ directory });
  const observers = await openObservers(["none", "tensorboard", "tensorboard"], run);
  await observers.log(1, { "train/loss": 1 });
  await observers.close();
  assert.equal([...Deno.readDirSync(`${directory}/tensorboard`)].length, 1);
  await (await openObservers(["none"], run)).log(1, { "train/loss": 1 });
  assert.deepEqual(warnings, []);
  assert.deepEqual(REPORT_TO, ["none", "tensorboard", "wandb"]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("openObservers() warns once of an observer that fails and goes on without it", async () => {
  const directory = await Deno.makeTempDir();
  const { warnings, context: run } = context({ directory });
  const observers = await openObservers(["tensorboard"], run);
  await Deno.remove(directory, { recursive: true });
  await observers.log(1, { "train/loss": 1 });
  await observers.log(2, { "train/loss": 1 });
  await observers.close();
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^No metrics to tensorboard: /);
});

Deno.test("openObservers() without a key of Weights & Biases warns and trains on", async () => {
  const { warnings, context: run } = context();
  const key = Deno.env.get("WANDB_API_KEY");
  Deno.env.delete("WANDB_API_KEY");
  const observers = await openObservers(["wandb"], run);
  await observers.log(1, { "train/loss": 1 });
  await observers.close();
  if (key !== undefined) Deno.env.set("WANDB_API_KEY", key);
  assert.deepEqual(warnings, [
    "No metrics to wandb: there is no API key. Set WANDB_API_KEY, or WANDB_MODE=offline, which needs none",
  ]);
});
