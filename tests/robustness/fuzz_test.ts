import { deepStrictEqual } from "node:assert/strict";
import { fuzz, fuzzTable } from "./fuzz.ts";

Deno.test("every reader ends with a value or an error for people, whatever is done to its file", async () => {
  deepStrictEqual(await fuzz((subjects) => Math.ceil(300 / subjects)), []);
});

Deno.test("fuzzTable() adds up the files of a format, and tells Parquet from what lies beside it", () => {
  const subjects = ["genrec/dataset.json", "genrec/items.parquet", "genrec/users.parquet", "npy/items.npy"];
  const { rows } = fuzzTable(subjects.map((name, n) => ({ name, runs: 10, failed: n % 2 })));
  deepStrictEqual(rows, [
    ["genrec", 1, 10, 0],
    ["Parquet tables of genrec", 2, 20, 1],
    ["npy", 1, 10, 1],
  ]);
});
