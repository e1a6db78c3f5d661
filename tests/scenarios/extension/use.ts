// Runs in a copy of the repository that has the throw-away members, and uses each as a user would. The last line that it
// prints is JSON: what each kind came to.
import assert from "node:assert/strict";
import process from "node:process";
import { Device } from "../../../kernels/gpu/device.ts";
import type { KernelSpec } from "../../../kernels/gpu/spec.ts";
import * as kernels from "../../../kernels/registry.ts";
import { genrecTemplates } from "../../../prompts/built_in.ts";
import { alignmentTask } from "../../../prompts/tasks/by_name.ts";
import { settleDevices } from "../../../tasks/_cli/open_devices.ts";
import { main } from "../../../tasks/main.ts";
import { taskWeights } from "../../../train/sft/text_inputs.ts";
import { checkBackward, checkForward } from "../../kernel_check.ts";

const found: Record<string, string> = {};
const works = (kind: string) => found[kind] = "works";
const written: string[] = [];
console.log = (...words) => void written.push(words.join(" "));
// Help is printed this way.
process.stdout.write = (text: string | Uint8Array) => written.push(String(text)) > 0;

/** Runs `genrec words`; what it said. */
async function genrec(words: string): Promise<string> {
  written.length = 0;
  assert.equal(await main(words.split(" ")), 0, `genrec ${words}\n${written.join("\n")}`);
  return written.join("\n");
}

const readJson = (path: string) => JSON.parse(Deno.readTextFileSync(path));

// As tests/kernels/registry_test.ts does with every line of the registry.
const spec = (kernels as unknown as Record<string, KernelSpec<unknown>>).threefold;
const device = await Device.open();
for (const kernelCase of spec.cases()) {
  await checkForward(device, spec, kernelCase);
  await checkBackward(device, spec, kernelCase);
}
works("kernel");

assert.match(await genrec("greet --shop Acme"), /^Hello, Acme$/m);
assert.match(await genrec("--help"), /^ {2}greet +say hello to a shop$/m);
works("command");

const OFFERS = {
  data: ["tills"],
  convert: ["plain"],
  embed: ["counting", "--step"],
  sid: ["pairwise", "--width", "by-row"],
  sft: ["mistral", "ledger", "descent"],
  baseline: ["in-order"],
  rank: ["top-shelf", "shelf", "half"],
  evaluate: ["plain-lists"],
  rl: ["even-item", "--even-bonus", "reinforce", "ledger"],
};
for (const [task, offers] of Object.entries(OFFERS)) {
  const help = await genrec(`${task} --help`);
  for (const offer of offers) assert.ok(help.includes(offer), `genrec ${task} --help has no ${offer}`);
}

// Six articles; three cards buy them in order, each from another one on.
const log = [0, 1, 2].flatMap((card) =>
  [0, 1, 2, 3, 4, 5].map((i) => [card, (card + i) % 6, 100 * i + card])
);
Deno.writeTextFileSync(
  "tills.csv",
  ["card,article,second", ...log.map((row) => row.join())].join("\n") + "\n",
);
await genrec(
  "data --dataset tills --reviews tills.csv --title-filter off --user-k 1 --item-k 1 --split leave-one-out --out shop",
);
assert.equal(readJson("shop/dataset.json").source, "the tills of a shop");
works("raw data source");

await genrec("convert --from shop --to plain --out plain");
assert.equal(readJson("plain/plain.json").items.length, 6);
works("convert target");
await genrec("convert --from plain --to genrec --out back");
assert.deepEqual(
  Deno.readFileSync("back/interactions.parquet").length > 0 && readJson("back/dataset.json").statistics.items,
  readJson("shop/dataset.json").statistics.items,
);
works("dataset format");

await genrec("embed --data shop --provider counting --step 10 --out items.npy");
// After the header (128 bytes): (6, 2) float32, item 3 is (30, 1).
assert.deepEqual([...new Float32Array(Deno.readFileSync("items.npy").slice(128).buffer).slice(6, 8)], [
  30,
  1,
]);
works("embedding provider");

await genrec("sid --embeddings items.npy --method pairwise --width 3 --collisions by-row --out sids");
assert.deepEqual(readJson("sids/index.json")["4"], ["<a_1>", "<b_4>"]);
works("SID method");
works("collision policy");

await genrec(
  "sft --data shop --sids sids/index.json --model-type mistral --report-to ledger --optim descent --out run --max-steps 1 " +
    "--hidden-size 16 --intermediate-size 16 --num-hidden-layers 1 --num-attention-heads 2 --num-key-value-heads 2 " +
    "--tokens-per-batch 64 --eval-beams 4 --logging-steps 1",
);
assert.deepEqual(readJson("run/checkpoints/step-1/config.json").architectures, ["MistralForCausalLM"]);
works("decoder shape");
assert.equal(readJson("run/config.json").optim, "descent");
works("optimizer");
assert.match(Deno.readTextFileSync("run/ledger.txt"), /^1 .*train\/loss/m);
works("observer");

await genrec(
  "rl --run run --reward even-item:0.5 --even-bonus 8 --loss reinforce --beta 0 --out sharpened --max-steps 1 " +
    "--num-generations 3 --prompts-per-step 2 --eval-samples 1 --logging-steps 1 --tokens-per-batch 64",
);
const step = Deno.readTextFileSync("sharpened/metrics.jsonl").split("\n").filter(Boolean).map((line) =>
  JSON.parse(line)
)
  .find((line) => line.rewards !== undefined);
// Values are 0 or the bonus of 8, and the weight is a half.
const { mean } = step.rewards["even-item"];
assert.ok(mean > 1 && mean <= 8, `mean ${mean}`);
assert.equal(step.reward, mean / 2);
works("reward");
assert.equal(readJson("sharpened/config.json").loss, "reinforce");
works("RL objective");

// The last articles of the cards are 5, 0 and 1: one of them is the first of all, two are among the first two.
const hits = async (words: string) => {
  await genrec(`evaluate --data shop --split test --beams 2 --ks 1,2 ${words}`);
  return readJson("measured/metrics.json").hr;
};
await genrec("baseline --data shop --model in-order --out ordered");
assert.deepEqual(await hits("--run ordered --out measured"), { 1: 1 / 3, 2: 2 / 3 });
works("baseline");

await genrec(
  "rank --data shop --runs ordered --train-on valid --candidates top-shelf --features shelf --loss half --out ranked " +
    "--num-train-epochs 1 --list-length 2",
);
const { columns, mean: moments } = readJson("ranked/features.json");
// Items 3, 4 and 5 stand on the shelves 1, 2 and 2.
assert.deepEqual([columns, Math.round(3 * moments[0])], [[{ name: "shelf.number" }], 5]);
assert.equal(readJson("ranked/config.json").loss, "half");
for (const kind of ["candidates", "features", "ranking loss"]) works(kind);
Deno.mkdirSync("wished");
Deno.writeTextFileSync("wished/wishes.json", "[4, 5]");
assert.deepEqual(await hits("--run wished --out measured"), { 1: 0, 2: 1 / 3 });
works("run kind");

await genrec("evaluate --run run --split test --beams 2 --ks 1 --format plain-lists --out listed");
assert.deepEqual(
  readJson("listed/plain-lists/final_result.json").map(({ wanted }: { wanted: string }) => wanted),
  ["<a_1><b_5>", "<a_0><b_0>", "<a_0><b_1>"],
);
works("result format");

assert.deepEqual(taskWeights(["last-item=2"]), { "last-item": 2 });
assert.equal(genrecTemplates.tasks["last-item"].instruction, "Last of");
const rows = alignmentTask("last-item").examples(
  {
    dataset: { samples: { train: [{ history: [3, 1], target: 2 }] } },
    texts: { sids: ["s0", "s1", "s2", "s3"] },
  } as unknown as Parameters<ReturnType<typeof alignmentTask>["examples"]>[0],
);
assert.deepEqual(rows.example(0), { question: { history: ["s3", "s1"] }, answer: { sid: "s1" } });
works("training task");

await settleDevices();
await Deno.stdout.write(new TextEncoder().encode(`\n${JSON.stringify(found)}\n`));
Deno.exit(0);
