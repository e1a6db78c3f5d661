import assert from "node:assert/strict";
import { joinPieces } from "../../../base/files/pieces.ts";
import { readFile } from "node:fs/promises";
import {
  findNonFinite,
  readSafetensors,
  readSafetensorsMetadata,
  safetensorsPieces,
  writeSafetensors,
} from "../../../models/safetensors/safetensors.ts";
import fc from "../../property.ts";

const golden = async (name: string) =>
  new Uint8Array(await readFile(new URL(`../../golden/${name}`, import.meta.url)));

/** A file with any header, to test what is wrong with it. */
function fileOf(header: string, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const one = (data: number[], shape = [data.length]) =>
  new Map([["w", { shape, data: Float32Array.from(data) }]]);

Deno.test("readSafetensors() widens F32, F16 and BF16 as the original library does", async () => {
  const bytes = await golden("formats/formats.safetensors");
  const expected: Record<string, number[]> = JSON.parse(
    new TextDecoder().decode(await golden("formats/formats.json")),
  );
  const tensors = readSafetensors(bytes);
  assert.deepEqual([...tensors.keys()].sort(), ["brain", "empty", "half", "scalar", "single"]);
  for (const [name, { data }] of tensors) assert.deepEqual([...data], expected[name], name);
  assert.equal(tensors.get("half")!.dtype, "F16");
  assert.deepEqual(tensors.get("brain")!.shape, [3, 4]);
  assert.deepEqual(tensors.get("scalar")!.shape, []);
  assert.deepEqual(tensors.get("empty")!.shape, [0, 4]);
  assert.deepEqual(readSafetensorsMetadata(bytes), { note: "größe" });
});

Deno.test("writeSafetensors() rounds to F16 and BF16 as the original library does", async () => {
  const tensors = readSafetensors(await golden("formats/formats.safetensors"));
  const single = new Map([["w", tensors.get("single")!]]);
  for (const [dtype, name] of [["F16", "half"], ["BF16", "brain"]] as const) {
    const written = readSafetensors(writeSafetensors(single, { dtype })).get("w")!;
    assert.deepEqual(written, { ...tensors.get(name)!, dtype });
  }
});

for (const model of ["qwen2", "qwen3"]) {
  Deno.test(`writeSafetensors() gives the bytes of save_pretrained for ${model}`, async () => {
    const bytes = await golden(`decoder/${model}/model.safetensors`);
    const tensors = readSafetensors(bytes);
    assert.deepEqual(tensors.get("model.embed_tokens.weight")!.shape, [61, 32]);
    assert.deepEqual(writeSafetensors(tensors), bytes);
  });
}

Deno.test("readSafetensors() reads back what writeSafetensors() wrote, whatever the names", () => {
  const tensor = fc.array(fc.float({ noNaN: true }), { maxLength: 9 })
    .map((data) => ({ shape: [data.length, 1], data: Float32Array.from(data) }));
  const name = fc.oneof(fc.string({ unit: "grapheme" }), fc.nat(20).map(String))
    .filter((text) => text !== "__metadata__");
  fc.assert(fc.property(fc.array(fc.tuple(name, tensor)), (pairs) => {
    const tensors = new Map(pairs);
    const bytes = writeSafetensors(tensors, { metadata: { step: "3" } });
    const read = readSafetensors(bytes);
    assert.equal((bytes.length - [...read.values()].reduce((sum, t) => sum + 4 * t.data.length, 0)) % 8, 0);
    assert.equal(read.size, tensors.size);
    for (const [key, { shape, data }] of tensors) {
      assert.deepEqual(read.get(key), { dtype: "F32", shape, data });
    }
    assert.deepEqual(readSafetensorsMetadata(bytes), { step: "3" });
  }));
});

Deno.test("readSafetensors() reads a file that does not start on a multiple of four bytes", () => {
  const bytes = fileOf('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, 1.5, true);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  assert.deepEqual([...readSafetensors(shifted.subarray(1)).get("w")!.data], [1.5]);
});

Deno.test("readSafetensors() refuses a file cut off anywhere, and one with bytes to spare", () => {
  const bytes = writeSafetensors(one([1, 2, 3]));
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => readSafetensors(bytes.subarray(0, length), "m.safetensors"), {
      name: "UserError",
      message: /^Cannot read m\.safetensors: /,
    });
  }
  const longer = new Uint8Array(bytes.length + 2);
  longer.set(bytes);
  assert.throws(() => readSafetensors(longer), /tensors should end at byte \d+, but the file has/);
});

Deno.test("readSafetensors() names the tensor and the fault of a damaged header", () => {
  const refuse = (header: string, dataBytes: number, message: RegExp) =>
    assert.throws(() => readSafetensors(fileOf(header, dataBytes)), message);
  const entry = (begin: number, end: number, shape: number[], dtype = "F32") =>
    JSON.stringify({ dtype, shape, data_offsets: [begin, end] });
  refuse("{oops", 0, /header is not JSON/);
  refuse("[]", 0, /header is not a JSON object/);
  refuse(`{"a":${entry(0, 8, [1])}}`, 8, /tensor a F32 \(1\) has 8 bytes, expected 4/);
  refuse(
    `{"a":${entry(0, 8, [1], "I64")}}`,
    8,
    /tensor a has number format I64, expected one of F32, F16, BF16/,
  );
  refuse(
    `{"a":${entry(0, 8, [2])},"b":${entry(4, 8, [1])}}`,
    8,
    /tensor b starts at byte 4 of the data, inside/,
  );
  refuse(
    `{"a":${entry(0, 4, [1])},"b":${entry(8, 12, [1])}}`,
    12,
    /bytes 4 to 8 of the data, before tensor b/,
  );
  refuse(`{"a":${entry(0, 4, [1])},"a":${entry(0, 4, [1])}}`, 4, /tensor "a" is listed twice/);
  refuse(`{"a":${entry(0, 4, [1])}}`, 2, /should end at byte/);
  refuse('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4, /tensor a, field shape\.0: /);
  refuse('{"a":7}', 0, /tensor a, field \(whole\): /);
  refuse('{"__metadata__":{"x":1}}', 0, /__metadata__ is not an object of strings/);
});

Deno.test("writeSafetensors() rounds to brain precision, nearest, ties to even, and keeps NaN", () => {
  // One step of BF16 at 1 is 2^-7; half a step is a tie.
  const values = [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -Infinity, NaN];
  const read = readSafetensors(writeSafetensors(one(values), { dtype: "BF16" })).get("w")!.data;
  assert.deepEqual([...read], [1, 1 + 2 ** -6, 1 + 2 ** -7, -Infinity, NaN]);
});

Deno.test("writeSafetensors() refuses a finite value that would become infinite, and a wrong shape", () => {
  assert.throws(() => writeSafetensors(one([1, 7e4]), { dtype: "F16" }), /tensor w as F16: value 1 is 70000/);
  assert.throws(
    () => writeSafetensors(one([3.4e38]), { dtype: "BF16" }),
    /beyond the largest of that format/,
  );
  assert.throws(() => writeSafetensors(one([1, 2], [3])), /tensor w \(3\): it has 2 values, expected 3/);
});

Deno.test("findNonFinite() names the first NaN or infinite value", () => {
  assert.equal(findNonFinite(one([1, 2])), undefined);
  assert.deepEqual(findNonFinite(one([1, NaN])), { name: "w", index: 1, value: NaN });
  assert.deepEqual(findNonFinite(one([-Infinity, NaN])), { name: "w", index: 0, value: -Infinity });
});

Deno.test("safetensorsPieces() gives the bytes of the whole file, tensors in any order and in parts", async () => {
  const tensors = new Map([
    ["b", { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ["a", { shape: [2], data: Float32Array.of(7, 8) }],
    ["c", { shape: [], data: Float32Array.of(9) }],
  ]);
  const shapes = Array.from(tensors, ([name, { shape }]) => ({ name, shape }));
  const parts = async function* () {
    yield { name: "c", data: tensors.get("c")!.data };
    yield { name: "b", from: 0, data: Float32Array.of(1, 2) };
    yield { name: "b", from: 2, data: Float32Array.of(3, 4, 5, 6) };
    yield { name: "a", data: tensors.get("a")!.data };
  };
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    const whole = await joinPieces(safetensorsPieces(shapes, parts(), { dtype }));
    assert.deepEqual(whole, writeSafetensors(tensors, { dtype }));
  }
  const bad: [string, { name: string; from?: number; data: Float32Array }[], RegExp][] = [
    ["a tensor too few", [{ name: "a", data: Float32Array.of(1, 2) }], /tensor b did not come/],
    ["too short", [{ name: "a", data: Float32Array.of(1) }], /tensor a \(2\): it has 1 values, expected 2/],
    ["beyond the end", [{ name: "a", from: 1, data: Float32Array.of(1, 2) }], /it has 3 values, expected 2/],
    [
      "unknown",
      [{ name: "x", data: Float32Array.of(1) }],
      /tensor x: it was written before or not announced/,
    ],
  ];
  for (const [what, parts, message] of bad) {
    const pieces = safetensorsPieces(
      shapes,
      (async function* () {
        yield* parts;
      })(),
    );
    await assert.rejects(joinPieces(pieces), { name: "RangeError", message }, what);
  }
});
