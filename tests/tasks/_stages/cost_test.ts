import assert from "node:assert/strict";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { pipelineCost } from "../../../tasks/_stages/cost.ts";
import { dataSizeOf, presetFor } from "../../../train/pipeline/preset.ts";
import { SftSchema } from "../../../train/sft/config.ts";

Deno.test("the work of a pipeline counts the validations of its trainings", async () => {
  const device = await Device.open();
  const dataset = syntheticDataset({ seed: 1, items: 60, users: 90 });
  const preset = presetFor(dataSizeOf(dataset));
  const flopsWith = async (evalBeams: number) => {
    const settings = { ...SftSchema.parse(preset.decoder), evalBeams };
    const options = {
      preset,
      makesSids: true,
      items: "gru4rec",
      settings,
      beams: 50,
      teach: false,
      reading: 0,
    };
    return (await pipelineCost(device, dataset, options)).flops;
  };
  const few = await flopsWith(1), more = await flopsWith(21), many = await flopsWith(61);
  assert.ok(many > 1.4 * few, `${few} and ${many} operations`);
  assert.ok(Math.abs((many - few) / (more - few) - 3) < 1e-9, `${few}, ${more} and ${many} operations`);
  device.gpu.destroy();
});
