import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { nonFiniteRows, readMatrix, readNpy, writeNpy } from "../../base/npy.ts";
import fc from "../property.ts";

/** A version-1 file with any header and data. */
function fileOf(header: string, data: ArrayBufferView, version = 1): Uint8Array {
  const lengthBytes = version === 1 ? 2 : 4;
  const bytes = new Uint8Array(8 + lengthBytes + header.length + data.byteLength);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, header.length, true);
  else view.setUint32(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 8 + lengthBytes);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + lengthBytes + header.length);
  return bytes;
}

const header = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }\n`;

Deno.test("readNpy() reads what numpy wrote in half precision", async () => {
  const { shape, data } = readNpy(
    new Uint8Array(await readFile(new URL("../golden/formats/formats.npy", import.meta.url))),
  );
  const expected = JSON.parse(
    await readFile(new URL("../golden/formats/formats.json", import.meta.url), "utf8"),
  );
  assert.deepEqual(shape, [3, 4]);
  assert.deepEqual([...data], expected.half);
});

Deno.test("readNpy() turns int32, float32 and float64 into float32", () => {
  assert.deepEqual([...readNpy(fileOf(header("<i4", "2,"), Int32Array.of(-3, 7))).data], [-3, 7]);
  assert.deepEqual([...readNpy(fileOf(header("<f4", "2,"), Float32Array.of(-3, 0.5))).data], [-3, 0.5]);
  assert.deepEqual([...readNpy(fileOf(header("<f8", "1, 2"), Float64Array.of(0.1, 7), 2)).data], [
    Math.fround(0.1),
    7,
  ]);
  assert.deepEqual(readNpy(fileOf(header("<f4", ""), Float32Array.of(4))).shape, []);
});

Deno.test("writeNpy() puts the data of a (2, 3) array on byte 128, after a header of numpy's form", () => {
  const bytes = writeNpy([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
  assert.equal(bytes.length, 128 + 24);
  assert.equal(bytes[127], 10);
  assert.equal(
    new TextDecoder("latin1").decode(bytes.subarray(10, 127)).trimEnd(),
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
  );
  assert.match(new TextDecoder("latin1").decode(writeNpy([1], Float32Array.of(1))), /'shape': \(1,\)/);
  assert.throws(() => writeNpy([2], Float32Array.of(1)), /array \(2\): it has 1 values, expected 2/);
});

Deno.test("readNpy() reads back what writeNpy() wrote", () => {
  fc.assert(fc.property(fc.nat(5), fc.nat(5), fc.nat(3), (a, b, c) => {
    const data = Float32Array.from({ length: a * b * c }, (_, i) => i / 3);
    assert.deepEqual(readNpy(writeNpy([a, b, c], data)), { shape: [a, b, c], data });
  }));
});

Deno.test("readNpy() says what is wrong with a file and what to do", () => {
  const refuse = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(() => readNpy(bytes, "items.npy"), { name: "UserError", message });
  const two = Float32Array.of(1, 2);
  refuse(new Uint8Array(0), /Cannot read items\.npy: it does not start like a \.npy file/);
  refuse(
    fileOf(header("<i8", "1,"), BigInt64Array.of(1n)),
    /number format is <i8, expected one of <f2, .*astype/,
  );
  refuse(fileOf(header("<f4", "2,", "maybe"), two), /names no fortran_order/);
  refuse(fileOf("{'descr': [('x', '<f4')], }", two), /number format is not a plain number/);
  refuse(fileOf(header("<f4", "1, 2", "True"), two), /Fortran order, expected C order.*ascontiguousarray/);
  refuse(fileOf(header("<f4", "3,"), two), /shape \(3\) of <f4 needs 12 bytes of data, the file has 8/);
  refuse(fileOf(header("<f4", "2,"), two, 9), /version 9/);
});

Deno.test("readNpy() refuses a file cut off anywhere", () => {
  const bytes = writeNpy([2, 2], Float32Array.of(1, 2, 3, 4));
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readNpy(bytes.subarray(0, length)), { name: "UserError" });
  }
});

Deno.test("readMatrix() names rows with NaN or infinity", () => {
  const data = Float32Array.of(1, 2, NaN, 4, 5, 6, 7, -Infinity);
  assert.deepEqual(nonFiniteRows({ rows: 4, dim: 2, data }), [1, 3]);
  assert.throws(
    () => readMatrix(writeNpy([4, 2], data), "e.npy"),
    /e\.npy: NaN or infinity in row 1, 3 of 4/,
  );
  const all = new Float32Array(8).fill(NaN);
  assert.throws(() => readMatrix(writeNpy([8, 1], all)), /row 0, 1, 2, 3, 4 and 3 more of 8/);
  assert.deepEqual(readMatrix(writeNpy([2, 1], Float32Array.of(1, 2))), {
    rows: 2,
    dim: 1,
    data: Float32Array.of(1, 2),
  });
  assert.throws(
    () => readMatrix(writeNpy([2], Float32Array.of(1, 2))),
    /shape is \(2\), expected \(rows, dim\)/,
  );
  assert.throws(() => readMatrix(writeNpy([0, 4], new Float32Array(0))), /shape is \(0, 4\)/);
});
