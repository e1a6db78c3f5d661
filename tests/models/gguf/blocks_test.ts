import assert from "node:assert/strict";
import {
  type GgufFormat,
  packBlocks,
  unpackBlocks,
  type WrittenGgufFormat,
} from "../../../models/gguf/blocks.ts";

type Case = { bytes: string; values: string };
const golden: { read: Record<GgufFormat, Case>; written: Record<WrittenGgufFormat, Case> } = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/formats/gguf_blocks.json", import.meta.url)),
);
const bytesOf = (text: string) => Uint8Array.fromBase64(text);
const bitsOf = (text: string) => [...new Uint32Array(bytesOf(text).buffer)];

Deno.test("blocks of every format hold what the package gguf reads, bit for bit", () => {
  assert.equal(Object.keys(golden.read).length, 8);
  for (const [format, { bytes, values }] of Object.entries(golden.read)) {
    const found = unpackBlocks(bytesOf(bytes), format as GgufFormat);
    const expected = new Float32Array(bytesOf(values).buffer);
    assert.equal(found.length, expected.length, format);
    // Of 0 times something negative either zero will do.
    found.forEach((value, i) =>
      assert.ok(value === expected[i], `${format} ${i}: ${value}, expected ${expected[i]}`)
    );
  }
});

Deno.test("numbers are written in the bytes of the package gguf", () => {
  for (const [format, { bytes, values }] of Object.entries(golden.written)) {
    const numbers = new Float32Array(bytesOf(values).buffer);
    assert.deepEqual(packBlocks(numbers, format as WrittenGgufFormat), bytesOf(bytes), format);
  }
  assert.deepEqual(bitsOf(golden.written.F32.bytes), bitsOf(golden.written.F32.values));
});
