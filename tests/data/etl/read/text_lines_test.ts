import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { encodingOf, textLines } from "../../../../data/etl/read/text_lines.ts";
import { type FramePiece, ZstdFrames } from "../../../../data/etl/read/zstd_frames.ts";
import fc from "../../../property.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const utf16 = (text: string) =>
  new Uint8Array(Uint16Array.from(text, (letter) => letter.charCodeAt(0)).buffer);

async function linesOf(bytes: Uint8Array, options: { encoding?: string; legacy?: string } = {}) {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, bytes);
    const lines: string[] = [], faults: string[] = [];
    for await (const block of textLines(path, { encoding: "auto", ...options })) {
      for (const [at, fault] of block.faults) faults.push(`${lines.length + at + 1}: ${fault}`);
      lines.push(...block.lines);
    }
    return { lines, faults, encoding: await encodingOf(path, { encoding: "auto", ...options }) };
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("textLines() reads UTF-8, UTF-16 with a mark or without, old encodings by name, and each line end", async () => {
  const text = "a,Café\nb,Öl";
  const lines = ["a,Café", "b,Öl"];
  for (
    const [bytes, options] of [
      [utf8(text), {}],
      [utf8("\ufeff" + text), {}],
      [utf16("\ufeff" + text), {}],
      [utf16("user,item,title\n" + text).subarray(32), {}],
      [latin1(text), { encoding: "latin-1" }],
      [latin1(text), { legacy: "latin1" }],
      [utf8(text), { legacy: "latin1" }],
      [utf8(text.replace("\n", "\r\n")), {}],
      [utf8(text.replace("\n", "\r")), {}],
      [gzipSync(utf8(text)), {}],
      [zstdCompressSync(utf8(text)), {}],
    ] as const
  ) assert.deepEqual((await linesOf(bytes, options)).lines, lines);
});

Deno.test("textLines() tells lines that are not UTF-8 apart from the others, and a wrong encoding at once", async () => {
  const { lines, faults } = await linesOf(latin1("plain\nCafé\nlast"));
  assert.deepEqual([lines[0], lines[2]], ["plain", "last"]);
  assert.deepEqual(faults, [
    "2: not UTF-8 (byte E9), name the encoding with --encoding, such as windows-1252",
  ]);
  await assert.rejects(
    linesOf(latin1("Café"), { encoding: "shift_jis" }),
    /it is not text in shift_jis\. Name another/,
  );
});

Deno.test("a packed file that is cut anywhere is torn, with one frame or several", async () => {
  const part = utf8(Array.from({ length: 3000 }, (_, n) => `line ${n * 7919 % 1000}\n`).join(""));
  const frame = zstdCompressSync(part);
  for (const whole of [frame, new Uint8Array([...frame, ...frame]), gzipSync(part)]) {
    for (let cut = 1; cut < 10; cut++) {
      const end = Math.floor(whole.length * cut / 10);
      if (end === frame.length) continue;
      await assert.rejects(linesOf(whole.subarray(0, end)), /the file ends too early/);
    }
    await assert.rejects(linesOf(whole.subarray(0, -1)), /the file ends too early/);
  }
});

Deno.test("a packed file of several frames or members is read to its end, in whatever sizes they come", async () => {
  const lines = Array.from({ length: 40_000 }, (_, n) => `line ${n * 7919 % 40_009} é`);
  const bytes = utf8(lines.join("\n"));
  const skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
  for (const ends of [[1], [1, 2, 3], [100_000], [10, 10, 300_000, 300_001, 500_000]]) {
    const parts = [...ends, bytes.length].map((end, e) => bytes.subarray(ends[e - 1] ?? 0, end));
    const zstd = parts.flatMap((part) => [...zstdCompressSync(part), ...skippable]);
    for (const packed of [zstd, parts.flatMap((part) => [...gzipSync(part)])]) {
      assert.deepEqual((await linesOf(new Uint8Array(packed))).lines, lines);
    }
  }
});

Deno.test("a damaged file is told from a torn one, and other ways of packing are named", async () => {
  const frame = zstdCompressSync(utf8("line\n"));
  await assert.rejects(linesOf(new Uint8Array([...frame, ...utf8("garbage")])), /zstd: the file is damaged/);
  for (
    const [start, what] of [
      ["PK\x03\x04", "a zip archive"],
      ["BZh91AY&SY", "packed with bzip2"],
      ["\xfd7zXZ\0", "packed with xz"],
    ]
  ) {
    await assert.rejects(
      linesOf(latin1(start + "rest")),
      new RegExp(`: it is ${what}, expected text, gzip or zstd\\. Unpack it first$`),
    );
  }
  // A column may be called so.
  assert.deepEqual((await linesOf(utf8("BZhong,item"))).lines, ["BZhong,item"]);
});

Deno.test("ZstdFrames knows a whole file in any pieces", () => {
  const whole = new Uint8Array([
    ...zstdCompressSync(utf8("x".repeat(300_000))),
    ...zstdCompressSync(utf8("y")),
  ]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(whole.length - 1), (size, end) => {
    const first = zstdCompressSync(utf8("x".repeat(300_000))).length;
    const frames = new ZstdFrames();
    const pieces: FramePiece[] = [];
    for (let at = 0; at < end; at += size) {
      pieces.push(...frames.push(whole.subarray(at, Math.min(at + size, end))));
    }
    assert.equal(frames.whole, end === 0 || end === first);
    pieces.push(...frames.push(whole.subarray(end)));
    assert.equal(frames.whole, true);
    const ends = pieces.map((_, p) =>
      pieces.slice(0, p + 1).reduce((sum, { piece }) => sum + piece.length, 0)
    );
    assert.deepEqual(ends.filter((_, p) => pieces[p].ends), [first, whole.length]);
  }));
});
