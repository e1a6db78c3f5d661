import assert from "node:assert/strict";
import { adapterOfRank } from "../../../tasks/_cli/open_device.ts";

Deno.test("adapterOfRank() deals the GPUs of a machine to its ranks in turn, and leaves CPU adapters to WebGPU", () => {
  const gpu = { isCpu: false }, cpu = { isCpu: true };
  const dealt = (...adapters: { isCpu: boolean }[]) =>
    [0, 1, 2, 3].map((rank) => adapterOfRank(adapters, rank)).join();
  assert.equal(dealt(gpu, gpu), "0,1,0,1");
  assert.equal(dealt(cpu, gpu, gpu), "1,2,1,2");
  assert.equal(dealt(gpu, cpu), "0,0,0,0");
  assert.equal(dealt(cpu), ",,,");
  assert.equal(dealt(), ",,,");
});
