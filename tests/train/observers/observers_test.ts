import assert from "node:assert/strict";
import { type ObserverContext, scalarsOf } from "../../../train/observers/observer.ts";
import { openObservers, REPORT_TO } from "../../../train/observers/open.ts";
import { openWandb } from "../../../train/observers/wandb.ts";

function context(more: Partial<ObserverContext> = {}) {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  return {
    warnings,
    context: { directory: "runs/a", name: "a", config: { seed: 1 }, firstStep: 0, warn, ...more },
  };
}

/** A module with the surface of @wandb/sdk; `body` is its init(). */
function fakeSdk(body: string): string {
  const code = `export default {
    init(options) { ${body} return { url: () => "http://localhost/run" }; },
    log(values, step) { this.channel.postMessage({ step, values }); },
    finish() { this.channel.postMessage("finish"); },
  };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
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

Deno.test("openWandb() passes on options, values and the end of the run", async () => {
  const channel = new BroadcastChannel("fake-wandb");
  const messages: unknown[] = [];
  const seen = Promise.withResolvers<void>();
  channel.onmessage = ({ data }) => {
    messages.push(data);
    if (data === "finish") seen.resolve();
  };
  const body = `this.channel = new BroadcastChannel("fake-wandb"); this.channel.postMessage({ options });`;
  const { warnings, context: run } = context({ firstStep: 40 });
  const observer = openWandb(run, { library: fakeSdk(body), apiKey: "key" });
  observer.log(60, { "train/loss": 0.5 });
  await observer.close();
  await seen.promise;
  channel.close();
  const { options } = messages[0] as { options: Record<string, unknown> };
  assert.equal(options.name, "a from step 40");
  assert.deepEqual(options.config, { seed: 1 });
  assert.deepEqual(messages.slice(1), [{ step: 60, values: { "train/loss": 0.5 } }, "finish"]);
  assert.deepEqual(warnings, []);
});

for (
  const [what, body, reason] of [
    ["cannot start", `throw new Error("no network");`, /no network/],
    [
      "fails where nobody waits",
      `setTimeout(() => { throw new Error("lost") }); return new Promise(() => {});`,
      /lost/,
    ],
    ["never answers", `return new Promise(() => {});`, /did not answer for 0\.1 s/],
  ] as const
) {
  Deno.test(`openWandb() with an SDK that ${what} is one warning`, async () => {
    const { warnings, context: run } = context();
    const observer = openWandb(run, { library: fakeSdk(body), apiKey: "key", patience: 100 });
    observer.log(1, { "train/loss": 1 });
    if (!what.startsWith("never")) {
      while (warnings.length === 0) await new Promise((resume) => setTimeout(resume, 5));
    }
    observer.log(2, { "train/loss": 1 });
    await observer.close();
    assert.equal(warnings.length, 1, warnings.join("; "));
    assert.match(warnings[0], reason);
  });
}

Deno.test("openObservers() without a key of Weights & Biases warns and trains on", async () => {
  const { warnings, context: run } = context();
  const key = Deno.env.get("WANDB_API_KEY");
  Deno.env.delete("WANDB_API_KEY");
  const observers = await openObservers(["wandb"], run);
  await observers.log(1, { "train/loss": 1 });
  await observers.close();
  if (key !== undefined) Deno.env.set("WANDB_API_KEY", key);
  assert.deepEqual(warnings, ["No metrics to wandb: there is no API key. Set WANDB_API_KEY"]);
});
