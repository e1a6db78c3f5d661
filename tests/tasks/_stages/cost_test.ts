import assert from "node:assert/strict";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { pipelineCost } from "../../../tasks/_stages/cost.ts";
import { dataSizeOf, presetFor } from "../../../train/pipeline/preset.ts";
import { SftSchema } from "../../../train/sft/config.ts";

Deno.test("the time of a pipeline counts the validations of its trainings", async () => {
  const device = await Device.open();
  const dataset = syntheticDataset({ seed: 1, items: 60, users: 90 });
  const preset = presetFor(dataSizeOf(dataset));
  const secondsWith = async (evalBeams: number) => {
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
    return (await pipelineCost(device, dataset, options)).seconds;
  };
  const few = await secondsWith(1), many = await secondsWith(60);
  assert.ok(many > 1.5 * few, `${few} and ${many} s`);
  device.gpu.destroy();
});
