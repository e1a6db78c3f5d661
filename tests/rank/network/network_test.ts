import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import { HostScores } from "../../../rank/network/host_scores.ts";
import { RankNetwork, type RankShape } from "../../../rank/network/network.ts";

const random = new PhiloxStream(1, "inputs");
const inputs = Float32Array.from({ length: 9 * 7 }, () => 2 * random.normal());

for (const hidden_size of [0, 5]) {
  Deno.test(`scores of ${hidden_size} hidden units are the same on the device and on the host`, async () => {
    const device = await Device.open();
    const shape: RankShape = { model_type: "rank", num_inputs: 7, hidden_size, num_rankers: 3 };
    const network = new RankNetwork(device, shape);
    network.initialize(4);
    const parts = await device.scope(() =>
      device.read(...network.scores(new Tape(device, false), device.upload(inputs, 9, 7)))
    );
    assert.equal(parts.length, 3);
    assert.notDeepEqual(parts[0], parts[1]); // each ranker starts elsewhere
    const host = new HostScores(shape, network.parameters.toTensors(await network.parameters.read())).of(
      inputs,
    );
    host.forEach((score, row) => {
      const mean = (parts[0][row] + parts[1][row] + parts[2][row]) / 3;
      assert.ok(Math.abs(score - mean) < 1e-5, `row ${row}: ${score}, expected ${mean}`);
    });
    network.destroy();
  });
}
