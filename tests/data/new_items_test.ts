import assert from "node:assert/strict";
import { join } from "node:path";
import { readNewItems } from "../../data/new_items.ts";
import { UserError } from "../../base/user_error.ts";
import { withFiles } from "./formats/minionerec/fixture.ts";

const read = (text: string, maxBadLines = 0, known: string[] = []) => {
  let result: ReturnType<typeof readNewItems>;
  return withFiles({ "new.jsonl": text }, async (dir) => {
    result = readNewItems(join(dir, "new.jsonl"), maxBadLines, new Set(known));
    await result;
  }).then(() => result);
};

function fails(text: string, message: RegExp, ...rest: [number?, string[]?]) {
  return assert.rejects(
    read(text, ...rest),
    (error) => error instanceof UserError && message.test(error.message),
  );
}

Deno.test("readNewItems() reads what an item may have, numbers as ids and lists as text", async () => {
  const { items, lines } = await read(
    '{"id": 7, "title": " Tape ", "brand": "3M", "categories": "Tools, Tape", "price": 2.5}\n' +
      '\n{"id": "B", "title": "Glue", "description": ["Strong.", "Blue."], "categories": ["Glue"], "colour": "red"}\n',
  );
  assert.deepEqual(items, [
    { id: "7", title: "Tape", brand: "3M", categories: ["Tools", "Tape"], price: 2.5 },
    { id: "B", title: "Glue", description: "Strong. Blue.", categories: ["Glue"] },
  ]);
  assert.equal(lines, 2);
});

const good = '{"id": "A", "title": "Tape"}';

Deno.test("readNewItems() shows the first five malformed lines and counts the others", async () => {
  const bad = ["x", "[]", '{"id": "C"}', '{"title": "T"}', '{"id": "D", "title": ""}', "{", "3"];
  await fails(
    [good, ...bad].join("\n"),
    /7 of 8 lines are malformed:\n {2}line 2: no JSON, "x"\n(.*\n){4} {2}and 2 more\n.*--max-bad-lines 7$/,
  );
  await fails([good, ...bad].join("\n"), /title: /, 6);
});

Deno.test("readNewItems() leaves out as many malformed lines as allowed and keeps the rows of the others", async () => {
  const { items, rows, lines, badLines } = await read(`x\n${good}\n{}\n{"id": "B", "title": "Glue"}`, 2);
  assert.deepEqual(items.map(({ id }) => id), ["A", "B"]);
  assert.deepEqual([rows, lines], [[1, 3], 4]);
  assert.match(badLines[1], /^line 3: id: expected id, a text or a number, found \{\}/);
});

Deno.test("readNewItems() refuses an id that two lines or the catalogue have, and no items", async () => {
  await fails(`${good}\n${good}`, /line 2: id "A" is that of line 1, expected a new one/);
  await fails(good, /line 1: id "A" is that of an item in the catalogue/, 0, ["A"]);
  await fails("\n", /it has no items, expected lines such as/);
});
