import assert from "node:assert/strict";
import { findAdapter, offeredAdapters } from "../../../kernels/gpu/adapters.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";

const adapter = (description: string) =>
  ({ info: { vendor: "", architecture: "", device: "", description } }) as unknown as GPUAdapter;

/** A laptop: WebGPU gives the card for high performance, the chip for low power, and renders in software when asked. */
const card = adapter("Radeon RX 7600");
const chip = adapter("Radeon Graphics");
const software = adapter("llvmpipe (LLVM 15)");
const laptop = {
  requestAdapter: ({ powerPreference, forceFallbackAdapter }: GPURequestAdapterOptions = {}) =>
    Promise.resolve(
      forceFallbackAdapter ? software : powerPreference === "high-performance" ? card : chip,
    ),
} as unknown as GPU;
const none = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;

Deno.test("offeredAdapters() has every adapter once, the one for high performance first", async () => {
  const found = (await offeredAdapters(laptop)).map(({ name, isCpu }) => [name, isCpu]);
  assert.deepEqual(found, [["Radeon RX 7600", false], ["Radeon Graphics", false], [
    "llvmpipe (LLVM 15)",
    true,
  ]]);
  const server = { requestAdapter: () => Promise.resolve(software) } as unknown as GPU;
  assert.equal((await offeredAdapters(server)).length, 1);
  assert.deepEqual(await offeredAdapters(none), []);
});

Deno.test("findAdapter() takes the one for high performance, or by number, or by part of a name in any case", async () => {
  for (
    const [wanted, expected] of [
      ["", card],
      ["0", card],
      ["1", chip],
      ["2", software],
      ["graphics", chip],
      ["radeon", card],
      ["LLVMpipe", software],
    ] as const
  ) assert.equal(await findAdapter(wanted, laptop), expected, wanted);
});

Deno.test("findAdapter() lists what there is when nothing has that number or name", async () => {
  for (const wanted of ["3", "GeForce"]) {
    await assert.rejects(findAdapter(wanted, laptop), (error: Error) => {
      assert.ok(error instanceof DeviceError);
      assert.equal(
        error.message,
        `Cannot find adapter "${wanted}": expected the number or a part of the name of 0 Radeon RX 7600, ` +
          "1 Radeon Graphics, 2 llvmpipe (LLVM 15)",
      );
      return true;
    });
  }
  for (const wanted of ["", "0"]) {
    await assert.rejects(findAdapter(wanted, none), /Cannot find a WebGPU adapter: run `\.\/genrec doctor`/);
  }
});

Deno.test("Device.open() opens the adapter that is asked for", async () => {
  const [first] = await offeredAdapters();
  const device = await Device.open({ adapter: "0" });
  assert.equal(device.info.description, first.adapter.info.description);
  await assert.rejects(Device.open({ adapter: "no such card" }), /Cannot find adapter "no such card"/);
});
