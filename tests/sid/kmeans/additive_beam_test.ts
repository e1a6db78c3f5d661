import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { PhiloxStream } from "../../../base/philox.ts";
import { beamCodes } from "../../../sid/kmeans/additive_beam.ts";

const DIM = 3;
const random = new PhiloxStream(5, "beam");
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
const items = { data: normals(12 * DIM), rows: 12, dim: DIM };
const codebooks = [normals(4 * DIM), normals(5 * DIM), normals(3 * DIM)];

function errorOf(item: number, codes: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < DIM; d++) {
    let left = items.data[item * DIM + d];
    codebooks.forEach((codebook, level) => left -= codebook[codes[level] * DIM + d]);
    sum += left ** 2;
  }
  return sum;
}

Deno.test("beamCodes() finds the best of all codes where the beam holds every beginning", async () => {
  const codes = await beamCodes(await sharedDevice(), items, codebooks, 20);
  for (let item = 0; item < items.rows; item++) {
    let least = Infinity;
    for (let a = 0; a < 4; a++) {
      for (let b = 0; b < 5; b++) {
        for (let c = 0; c < 3; c++) least = Math.min(least, errorOf(item, [a, b, c]));
      }
    }
    assert.ok(errorOf(item, codes.subarray(3 * item)) < least + 1e-5);
  }
});

Deno.test("beamCodes() with a beam of 1 is greedy", async () => {
  const codes = await beamCodes(await sharedDevice(), items, codebooks, 1);
  for (let item = 0; item < items.rows; item++) {
    const left = items.data.slice(item * DIM, (item + 1) * DIM);
    codebooks.forEach((codebook, level) => {
      const distances = Array.from(
        { length: codebook.length / DIM },
        (_, k) => left.reduce((sum, value, d) => sum + (value - codebook[k * DIM + d]) ** 2, 0),
      );
      const code = distances.indexOf(Math.min(...distances));
      assert.equal(codes[item * 3 + level], code);
      left.forEach((_, d) => left[d] -= codebook[code * DIM + d]);
    });
  }
});
