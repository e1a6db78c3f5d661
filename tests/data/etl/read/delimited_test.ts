import assert from "node:assert/strict";
import { DelimitedReader, LONGEST_ROW, trimmedCell } from "../../../../data/etl/read/delimited.ts";
import fc from "../../../property.ts";

/** Rows as `line: cells` and faults as `line! fault`. */
function read(lines: readonly string[], delimiter = ",", oneLine: number[] = []): string[] {
  const found: string[] = [];
  let first = true;
  const reader = new DelimitedReader({ delimiter, quote: '"' }, ({ line, cells: cut, bare, fault }) => {
    const cells = bare?.split(delimiter) ?? cut;
    if (first) reader.expect(cells.length, oneLine);
    first = false;
    found.push(fault === undefined ? `${line}: ${cells.map(trimmedCell).join("|")}` : `${line}! ${fault}`);
  });
  for (const line of lines) reader.push(line);
  reader.end();
  return found;
}

Deno.test("DelimitedReader trims cells, keeps quoted ones as they are, and lets them go on over lines", () => {
  assert.deepEqual(read(["a, b ,c", '1, " x", "say ""no"""', '2,"two', 'lines",y', "", '3,12" ruler,z']), [
    "1: a|b|c",
    '2: 1| x|say "no"',
    "3: 2|two\nlines|y",
    '6: 3|12" ruler|z',
  ]);
  assert.deepEqual(read(["a::b", "1::x:y"], "::"), ["1: a|b", "2: 1|x:y"]);
});

Deno.test("DelimitedReader takes one line for an open quote, not the lines after it", () => {
  const rows = ["user,ts,item,title", 'u1,1,A,"12 inch', "u1,2,B,ok", "u2,3,C,ok"];
  const kept = ["1: user|ts|item|title", "3: u1|2|B|ok", "4: u2|3|C|ok"];
  const faultOf = (lines: string[]) => read(lines).filter((row) => row.startsWith("2!"));
  assert.deepEqual(read(rows).filter((row) => !row.includes("!")), kept);
  assert.deepEqual(faultOf(rows), ["2! a quoted cell is not closed to the end of the file"]);
  // Closed by the next quote of the file: before a text, or where it ends a cell.
  assert.deepEqual(read([...rows, 'u2,4,D,"nice"']), [
    kept[0],
    "2! the quoted cell 4 is not closed; the next quote, in line 5, is no end of a cell",
    ...kept.slice(1),
    "5: u2|4|D|nice",
  ]);
  assert.deepEqual(read([...rows, 'u2,4,D,Screen 24"']), [
    kept[0],
    "2! the quoted cell 4 is closed in line 5 only, and the lines before look like rows",
    ...kept.slice(1),
    '5: u2|4|D|Screen 24"',
  ]);
  const ids = ["user,item", '"u1,A', "u2,B", '"u3",C'];
  assert.deepEqual(read(ids, ",", [0, 1]).length, 4);
});

Deno.test("DelimitedReader names the width, a quote that is not doubled, and a row that is too long", () => {
  assert.deepEqual(read(["a,b", "1", '2,"x\\" y"', `3,"${"z".repeat(LONGEST_ROW)}"`, "4,ok"]), [
    "1: a|b",
    "2! expected 2 cells as in the header, found 1",
    '3! text after the closing quote of cell 2; inside a quoted cell, a quote is written ""',
    "4! a row of more than 2,000,000 characters",
    "5: 4|ok",
  ]);
});

Deno.test("DelimitedReader gives back every table that is written with quotes", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", " ", "é") });
  const table = fc.array(fc.tuple(cell, cell, cell), { maxLength: 6 });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  fc.assert(fc.property(table, (rows) => {
    // A cell of lines as wide as the table is what an open quote looks like.
    fc.pre(rows.every((row) => row.every((text) => text.split("\n").every((line) => !line.includes(",")))));
    const lines = ["x,y,z", ...rows.map((row) => row.map(quoted).join(","))].join("\n").split("\n");
    const found: string[][] = [];
    const reader = new DelimitedReader({ delimiter: ",", quote: '"' }, ({ cells: cut, bare, fault }) => {
      const cells = bare?.split(",") ?? cut;
      assert.equal(fault, undefined);
      reader.expect(3);
      found.push(cells.map(trimmedCell));
    });
    for (const line of lines) reader.push(line);
    reader.end();
    assert.deepEqual(found.slice(1), rows);
  }));
});

Deno.test("DelimitedReader accounts for every line of any text: in a row, in a fault, or blank", () => {
  const line = fc.string({ unit: fc.constantFrom("a", '"', ",", " "), maxLength: 8 });
  fc.assert(fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
    let counted = 0;
    const reader = new DelimitedReader({ delimiter: ",", quote: '"' }, ({ cells: cut, bare, fault }) => {
      const cells = bare?.split(",") ?? cut;
      counted += fault === undefined ? cells.join("").split("\n").length : 1;
    });
    for (const one of lines) reader.push(one);
    reader.end();
    const blank = lines.filter((one) => one.trim() === "").length;
    assert.ok(counted <= lines.length && counted >= lines.length - blank, `${counted} of ${lines.length}`);
  }));
});
