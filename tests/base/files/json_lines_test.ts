import assert from "node:assert/strict";
import { z } from "zod";
import { readJsonLines } from "../../../base/files/json_lines.ts";
import { UserError } from "../../../base/user_error.ts";
import { withFiles } from "../../data/formats/minionerec/fixture.ts";

const Row = z.strictObject({ a: z.int() });

async function read(text: string) {
  const found: [number, number][] = [];
  await withFiles({ "x.jsonl": text }, async (dir) => {
    for await (const { line, value } of readJsonLines(`${dir}/x.jsonl`, Row)) found.push([line, value.a]);
  });
  return found;
}

Deno.test("readJsonLines() numbers lines from 1 and skips blank ones", async () => {
  assert.deepEqual(await read('{"a": 1}\r\n\n {"a": 2}\n{"a": 3}'), [[1, 1], [3, 2], [4, 3]]);
  assert.deepEqual(await read(""), []);
  // More than one piece of a stream, cut anywhere.
  const many = Array.from({ length: 20_000 }, (_, i): [number, number] => [i + 1, i]);
  assert.deepEqual(await read(many.map(([, a]) => `{"a": ${a}}\n`).join("")), many);
});

Deno.test("readJsonLines() names line and field of what is wrong", async () => {
  const refuses = (work: Promise<unknown>, message: RegExp) =>
    assert.rejects(work, (error) => error instanceof UserError && message.test(error.message));
  await refuses(read('{"a": 1}\n{"a": '), /x\.jsonl line 2: expected JSON/);
  await refuses(read('{"a": 1}\n\n{"a": "b"}'), /x\.jsonl line 3 at \["a"\]: expected .*found "b"/);
  await refuses(readJsonLines("no/such.jsonl", Row).next(), /no\/such\.jsonl: no such file/);
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, Uint8Array.of(0xff, 0x0a));
  await refuses(readJsonLines(path, Row).next(), /expected UTF-8 text/);
  await Deno.remove(path);
});
