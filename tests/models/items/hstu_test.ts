import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { Hstu, HstuShape } from "../../../models/items/hstu.ts";
import { readGolden, testGolden } from "./item_golden.ts";

const golden = await readGolden<HstuShape>("hstu.json");

testGolden("Hstu", golden, (device, shape) => new Hstu(device, HstuShape.parse(shape)));

Deno.test("Hstu refuses heads that kernels cannot compute", async () => {
  const device = await Device.open();
  assert.throws(
    () => new Hstu(device, { ...golden.shape, num_attention_heads: 4 }),
    /Cannot build HSTU with 4 heads on a width of 8: heads would be 2 wide, expected a multiple of 4/,
  );
});
