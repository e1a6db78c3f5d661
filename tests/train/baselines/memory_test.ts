import assert from "node:assert/strict";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import { BASELINES } from "../../../train/baselines/by_name.ts";
import type { BaselineMethod } from "../../../train/baselines/method.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { rehearsed, type StopRehearsal } from "../../../kernels/gpu/rehearsal.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 40 });
const sids = dataset.items.map((_, item) => [`<a_${item % 8}>`, `<b_${item >> 3}>`]);
const SIZES: Record<string, Record<string, unknown>> = {
  tiger: { dModel: 16, dKv: 8, dFf: 16, numLayers: 1, numDecoderLayers: 1, numHeads: 2, evalSamples: 0 },
};

for (const name of ["sasrec", "gru4rec", "tiger", "popularity"]) {
  Deno.test(`rehearsed() counts what ${name} holds with its validation, and writes nothing`, async () => {
    const folder = await Deno.makeTempDir();
    const method = BASELINES.find((method) => method.name === name)! as BaselineMethod;
    const config = method.Config.parse({
      ...SIZES[name],
      ...(name !== "popularity" && { numTrainEpochs: 1 }),
    });
    const run = new RunDirectory(`${folder}/run`);
    const train = (device: Device, rehearsed?: StopRehearsal) => {
      const { signal } = new AbortController();
      return method.train(
        { device, dataset: { ...dataset, sids }, run, resume: false, signal, rehearsed },
        config,
      );
    };
    const device = await Device.open();
    const { bytes: counted, inProcess } = await rehearsed(device, train);
    assert.equal(inProcess > 0, name !== "popularity", `${inProcess} bytes to write a checkpoint`);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    assert.equal(device.memory.peak, 0);
    await run.create(false);
    await train(device);
    const held = device.memory.peak;
    assert.ok(Math.abs(counted - held) <= 0.1 * held, `${counted} counted, ${held} held`);

    if (name !== "popularity") {
      device.memoryLimit = counted / 2;
      await assert.rejects(
        rehearsed(device, train),
        (error: Error) => error instanceof DeviceError && /were free at the start/.test(error.message),
      );
      await assert.rejects(
        train(device),
        (error: Error) => error instanceof DeviceError && /were free at the start/.test(error.message),
      );
    }
    device.memoryLimit = Infinity;
    await Deno.remove(folder, { recursive: true });
  });
}
