import assert from "node:assert/strict";
import { join } from "node:path";
import { barChart } from "../../../bench/pages/chart.ts";
import { commandLine, writeMeasurement, writeRows } from "../../../bench/pages/files.ts";
import {
  type BenchMeasurement,
  findCell,
  measurementsJson,
  mergedMeasurement,
  renderPage,
  shownCell,
  spreadOf,
  tableText,
  textTable,
} from "../../../bench/pages/page.ts";
import { anchorOf } from "../../../bench/pages/summary.ts";

const SHARE = { name: "HR@10", format: "share" } as const;

Deno.test("shownCell() writes shares, spreads, differences and intervals as papers do", () => {
  assert.equal(shownCell(0.1532, SHARE), ".1532");
  assert.equal(shownCell(0.15316, SHARE), ".1532");
  assert.equal(shownCell(1, SHARE), "1.0000");
  assert.equal(shownCell({ mean: 0.1532, deviation: 0.0031 }, SHARE), ".1532 +- .0031");
  assert.equal(shownCell({ difference: -0.0583 }, SHARE), "-.0583");
  assert.equal(
    shownCell({ difference: 0.0047, low: -0.0022, high: 0.0072 }, SHARE),
    "+.0047 [-.0022, +.0072]",
  );
  assert.equal(shownCell({ low: 0.0709, high: 0.0766 }, SHARE), ".0709-.0766");
  assert.equal(shownCell([0.1542, 0.1498], SHARE), ".1542, .1498");
  assert.equal(shownCell(3, { name: "seeds" }), "3");
  assert.equal(shownCell("71.9 s", SHARE), "71.9 s");
});

Deno.test("spreadOf() is the mean with the deviation over n - 1, of one value the value", () => {
  // Mean 2, squares 1 + 0 + 1, divided by 2.
  assert.deepEqual(spreadOf([1, 2, 3]), { mean: 2, deviation: 1 });
  assert.equal(spreadOf([0.25]), 0.25);
});

const measured: BenchMeasurement = {
  command: ["deno run -A bench/x.ts"],
  date: "2026-11-21",
  commit: "9df0151",
  seeds: [42, 43],
  machine: "two cores",
  tables: [{ columns: [{ name: "system" }, SHARE], rows: [["counts", 0.1403], ["decoder", 0.1532]] }],
  remarks: ["0 invalid"],
};
const BLOCK = `<!-- measured: main -->

\`\`\`sh parsed
deno run -A bench/x.ts
\`\`\`

| system  | HR@10 |
| ------- | ----- |
| counts  | .1403 |
| decoder | .1532 |

- 0 invalid

2026-11-21, commit 9df0151, seeds 42, 43, two cores

<!-- /measured -->`;

Deno.test("renderPage() makes blocks anew, keeps the words, and adds what has no block", () => {
  const words = "# Title\n\nWords.\n\n<!-- measured: main -->\nold\n<!-- /measured -->\n\nMore.\n";
  assert.equal(renderPage(words, { main: measured }), `# Title\n\nWords.\n\n${BLOCK}\n\nMore.\n`);
  const { remarks: _, ...plain } = measured;
  const added = renderPage("# Title\n", { other: { ...plain, command: [] } });
  assert.match(added, /^# Title\n\n## other\n\n<!-- measured: other -->\n\n\| system/);
  assert.throws(() => renderPage(words, { other: measured }), /block main: the JSON has other/);
});

Deno.test("a page is as deno fmt leaves it, however long its conditions are", async () => {
  const long = {
    ...measured,
    machine: "a machine with many words ".repeat(12).trim(),
    remarks: ["word ".repeat(60).trim()],
  };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "--line-width", "110", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const page = renderPage("# Title\n", { main: long });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(page));
  await writer.close();
  const { stdout } = await child.output();
  assert.equal(new TextDecoder().decode(stdout), page);
});

Deno.test("measurementsJson() has a row a line and reads back the same", () => {
  const json = measurementsJson({ main: { ...measured, raw: [{ rows: [[1]] }] } });
  assert.match(json, /^ +\["decoder",0\.1532\]$/m);
  assert.deepEqual(JSON.parse(json), { main: { ...measured, raw: [{ rows: [[1]] }] } });
});

Deno.test("findCell() says what it cannot find", () => {
  assert.deepEqual(findCell(measured, "decoder", "HR@10"), [0.1532, SHARE]);
  assert.throws(() => findCell(measured, "decoder", "HR@5"), /decoder in a table with a column HR@5/);
  const rows = [["step", "ours", 1], ["", "theirs", 2], ["product", "ours", 3], ["", "another", 4]];
  const table = { columns: [{ name: "work" }, { name: "contender" }, { name: "ms" }], rows };
  const contended = { ...measured, tables: [table] };
  assert.equal(findCell(contended, "product", "ms")[0], 3);
  assert.equal(findCell(contended, "step", "ms", "theirs")[0], 2);
  assert.throws(() => findCell(contended, "step", "ms", "another"), /Cannot find step/);
});

Deno.test("writeMeasurement() replaces a measurement of its name alone, twice to the same bytes", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const other = { ...measured, date: "2026-11-22" };
    await writeMeasurement(folder, "page", "first", measured);
    await writeMeasurement(folder, "page", "second", measured);
    const files = await writeMeasurement(folder, "page", "first", other);
    assert.deepEqual(files, [join(folder, "page.json"), join(folder, "page.md")]);
    const [json, page] = files.map((file) => Deno.readTextFileSync(file));
    assert.deepEqual(JSON.parse(json), { first: other, second: measured });
    assert.equal(page.match(/2026-11-22/g)?.length, 1);
    await writeMeasurement(folder, "page", "first", other);
    assert.deepEqual(files.map((file) => Deno.readTextFileSync(file)), [json, page]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("tables of text are as wide as their widest cell, and one column is at least three", () => {
  assert.equal(
    tableText(textTable(["a", "what"], [["1", "x"]])),
    "| a   | what |\n| --- | ---- |\n| 1   | x    |",
  );
});

Deno.test("barChart() draws bars in proportion and escapes labels", () => {
  const svg = barChart("a < b", "", [{ label: "one", value: 0.1, ours: false }, {
    label: "two",
    value: 0.2,
    ours: true,
  }]);
  const widths = [...svg.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) =>
    Number(width)
  );
  assert.equal(widths.length, 2);
  assert.equal(widths[1], 2 * widths[0]);
  assert.match(svg, /a &lt; b/);
});

Deno.test("anchorOf() is GitHub's anchor, commandLine() a line to type", () => {
  assert.equal(anchorOf("Do the SIDs help?"), "do-the-sids-help");
  assert.match(commandLine("bench/x.ts"), /^deno run -A bench\/x\.ts/);
});

Deno.test("mergedMeasurement() makes rows anew by their first cells, and keeps the others with their commands", () => {
  const measured = (command: string, commit: string, ...rows: string[][]): BenchMeasurement => (
    {
      command: [command],
      commit,
      date: commit,
      machine: commit[0],
      tables: [textTable(["row", "peer", "ms"], rows)],
    }
  );
  const before = measured("one", "1111111", ["a", "x", "1"], ["a", "y", "2"], ["b", "x", "3"]);
  const now = measured("two", "2222222", ["a", "y", "20"], ["c", "x", "30"]);
  const rowsOf = ({ tables }: BenchMeasurement) => tables[0].rows.map((row) => row.join(" "));
  const merged = mergedMeasurement(before, now, 2);
  assert.deepEqual(rowsOf(merged), ["a x 1", "a y 20", "b x 3", "c x 30"]);
  assert.deepEqual([merged.command, merged.commit, merged.date], [
    ["one", "two"],
    "1111111, 2222222",
    "2222222",
  ]);
  assert.equal(merged.machine, "1; later rows: 2");
  const all = measured("three", "3333333", ["a", "x", "5"], ["b", "x", "6"]);
  assert.equal(mergedMeasurement(before, all, 1), all, "nothing of before is left");
  assert.equal(mergedMeasurement(undefined, now), now);
  const other = { ...now, tables: [textTable(["row", "s"], [["d", "1"]])] };
  assert.throws(() => mergedMeasurement(before, other), /row \| peer \| ms, expected row \| s/);
});

Deno.test("writeRows() leaves rows of other names on the page", async () => {
  const folder = await Deno.makeTempDir();
  for (const row of ["a", "b"]) {
    await writeRows(folder, "speed", "times", { command: [row], tables: [textTable(["row"], [[row]])] });
  }
  assert.match(await Deno.readTextFile(join(folder, "speed.md")), /\| a {3}\|\n\| b {3}\|/);
  await Deno.remove(folder, { recursive: true });
});
