/**
 * Bytes on the device that one batch of evaluation takes beyond the weights, by beams and prompt length. A prompt's keys
 * and values are shared by its beams here; beside it, what the same model takes where each beam has a copy of the
 * prompt, as in transformers' `generate()`. Counted on a device that allocates nothing, so it takes seconds:
 *
 *     deno run -A bench/speed/evaluation_memory.ts [--users 6] [--beams 10,50] [--prompts 20,200] [--width 128] [--layers 4]
 *         [--out docs/benchmarks]
 *
 * Prints a Markdown table.
 */
import { parseArgs } from "node:util";
import { Device } from "../../kernels/gpu/device.ts";
import { formatBytes } from "../../train/run/estimate.ts";
import { commandLine, conditionsNow, writeOut } from "../pages/files.ts";
import { tableText, textTable } from "../pages/page.ts";
import { evaluationBytes } from "./evaluation_bytes.ts";
import type { SmallDecoder } from "../results/small_decoder.ts";

const { values } = parseArgs({
  options: {
    users: { type: "string", default: "6" },
    beams: { type: "string", default: "10,50" },
    prompts: { type: "string", default: "20,200" },
    width: { type: "string", default: "128" },
    layers: { type: "string", default: "4" },
    vocabulary: { type: "string", default: "700" },
    out: { type: "string", default: "" },
  },
});
const users = Number(values.users);
const model: SmallDecoder = {
  width: Number(values.width),
  layers: Number(values.layers),
  vocabulary: Number(values.vocabulary),
};
// Textures hold too few rows for the copies.
const device = await Device.open({ layout: "buffer" });
console.log(
  `${users} users a batch; width ${model.width}, ${model.layers} layers, ${model.vocabulary} tokens\n`,
);
const rows: string[][] = [];
for (const promptTokens of values.prompts.split(",").map(Number)) {
  for (const beams of values.beams.split(",").map(Number)) {
    const search = { users, beams, promptTokens };
    const shared = await evaluationBytes(device, model, search);
    // Each beam alone, with a prompt of its own: what is stored is the same as with copies inside a search.
    const copied = await evaluationBytes(device, model, { ...search, users: users * beams, beams: 1 });
    rows.push([
      String(promptTokens),
      String(beams),
      formatBytes(shared),
      formatBytes(copied),
      (copied / shared).toFixed(1),
    ]);
  }
}
const table = textTable(
  ["tokens of a prompt", "beams", "shared prompts", "a copy for each beam", "copies / shared"],
  rows,
);
console.log(tableText(table));
await writeOut(values.out, "beside_pytorch", {
  "evaluation-memory": {
    command: [commandLine("bench/speed/evaluation_memory.ts")],
    ...await conditionsNow(),
    tables: [table],
  },
});
Deno.exit(0); // without destroying the device
