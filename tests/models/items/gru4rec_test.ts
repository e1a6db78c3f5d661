import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Gru4Rec, Gru4RecShape } from "../../../models/items/gru4rec.ts";
import { readGolden, testGolden } from "./item_golden.ts";

const golden = await readGolden<Gru4RecShape>("gru4rec.json");

testGolden("Gru4Rec", golden, (device, shape) => new Gru4Rec(device, Gru4RecShape.parse(shape)));

Deno.test("Gru4Rec refuses states that kernels cannot compute", async () => {
  const device = await Device.open();
  for (const width of [6, 516]) {
    assert.throws(
      () => new Gru4Rec(device, { ...golden.shape, hidden_size: width }),
      new UserError(`Cannot build GRU4Rec with a width of ${width}: expected a multiple of 4, at most 512`),
    );
  }
});
