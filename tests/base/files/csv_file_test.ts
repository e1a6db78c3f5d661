import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { formatCsvLine, readCsv } from "../../../base/files/csv_file.ts";
import golden from "../../golden/formats/python_text.json" with { type: "json" };
import fc from "../../property.ts";

Deno.test("formatCsvLine() writes as Python's csv does", () => {
  strictEqual(formatCsvLine(golden.texts), golden.csv);
});

Deno.test("readCsv() gives back what formatCsvLine() wrote, further columns too", async () => {
  const path = await Deno.makeTempFile();
  // A row of one empty cell is an empty line.
  const row = fc.tuple(fc.string(), fc.string(), fc.constantFrom("a", 'b"', "c,\r\nd"));
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 5 }), async (rows) => {
        await Deno.writeTextFile(path, [["x", "", "y"], ...rows].map(formatCsvLine).join(""));
        const read = await readCsv(path, ["y"]);
        // The column without a name is left out.
        deepStrictEqual(
          read.map(({ cells, others }) => [others, cells]),
          rows.map(([x, , y]) => [{ x }, { y }]),
        );
      }),
      { numRuns: 30 },
    );
  } finally {
    await Deno.remove(path);
  }
});
