import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { FrozenParameters } from "../../../models/parameters/frozen.ts";
import { loadParameters } from "../../../models/parameters/load.ts";
import { Parameters } from "../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../models/parameters/spec.ts";

const PIECE = 16 * 2 ** 20;

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`a large table reaches the device in pieces of 16 MiB at most, of which few wait, ${layout}`, async () => {
    // 20 MB of numbers that no other place has.
    const rows = 5000, cols = 1000;
    const data = Float32Array.from({ length: rows * cols }, (_, i) => i);
    const source = {
      folder: "a checkpoint",
      read: () => Promise.resolve({ dtype: "F32" as const, shape: [rows, cols], data: data.slice() }),
    };
    const table: ParameterSpec = {
      name: "table",
      rows,
      cols,
      init: "normal",
      decay: true,
      product: false,
      table: true,
    };
    const models: [string, (device: Device) => Promise<{ values: Float32Array }>][] = [
      ["frozen", async (device) => {
        const frozen = await FrozenParameters.load(device, [table], source);
        return { values: (await device.read(frozen.matrix("table")))[0] };
      }],
      ["trained", async (device) => {
        const parameters = new Parameters(device, [table]);
        await loadParameters(parameters, source);
        return { values: await parameters.read() };
      }],
      ["among trained", async (device) => {
        const parameters = new Parameters(device, [{ ...table, frozenRows: rows }]);
        await loadParameters(parameters, source);
        return { values: (await device.read(parameters.matrix("table")))[0] };
      }],
    ];
    for (const [name, load] of models) {
      const device = await Device.open({ layout });
      const most = mostWaiting(device);
      const { values } = await load(device);
      assert.deepEqual(values, data, name);
      assert.ok(most() <= 2 * PIECE, `${name}: ${most()} bytes waited together`);
      device.gpu.destroy();
    }
  });
}

/** Most bytes that were written before the device was waited for. */
function mostWaiting(device: Device): () => number {
  let waiting = 0, most = 0;
  const { queue } = device.gpu, settle = device.settle.bind(device);
  for (const name of ["writeBuffer", "writeTexture"] as const) {
    const write = queue[name].bind(queue) as (...args: unknown[]) => void;
    queue[name] = (...args: unknown[]) => {
      const { byteLength } = args.find((arg) => ArrayBuffer.isView(arg)) as ArrayBufferView;
      assert.ok(byteLength <= PIECE, `${byteLength} bytes in one piece`);
      most = Math.max(most, waiting += byteLength);
      write(...args);
    };
  }
  device.settle = async () => {
    await settle();
    waiting = 0;
  };
  return () => most;
}
