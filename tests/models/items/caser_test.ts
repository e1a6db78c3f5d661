import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { Caser, CaserShape } from "../../../models/items/caser.ts";
import { loadGolden, readGolden, scoresOf, testGolden } from "./item_golden.ts";

const golden = await readGolden<CaserShape>("caser.json");
const create = (device: Device, shape: CaserShape) => new Caser(device, CaserShape.parse(shape));

testGolden("Caser", golden, create);

Deno.test("Caser sees the latest items of its window and none before them", async () => {
  const device = await sharedDevice();
  const model = loadGolden(create(device, golden.shape), golden);
  const [latest, before, changed] = await scoresOf(model, [[3, 7, 5, 9, 2], [1, 3, 7, 5, 9, 2], [
    4,
    7,
    5,
    9,
    2,
  ]]);
  assert.deepEqual(latest, before);
  assert.notDeepEqual(latest, changed);
});

Deno.test("Caser refuses widths that kernels cannot compute", async () => {
  const device = await sharedDevice();
  assert.throws(
    () => new Caser(device, { ...golden.shape, hidden_size: 6 }),
    new UserError("Cannot build Caser with a width of 6: expected a multiple of 4"),
  );
});
