import assert from "node:assert/strict";
import { checkBytes, convertBytes } from "../../../data/cost/memory.ts";
import type { CorpusSizes } from "../../../data/cost/sizes.ts";
import { transitions } from "../../../train/baselines/counts.ts";

/** Footers of the datasets of bench/speed/beyond_memory/dataset.ts, by their number of interactions, or of items with two each. */
const SIZES: Record<string, CorpusSizes> = {
  "199,495": sizes(10_000, 12_500, 199_495, [161_995, 1_451_623], [174_495, 186_995]),
  "1,000,329": sizes(50_000, 62_500, 1_000_329, [812_829, 7_319_289], [875_329, 937_829]),
  "9,998,552": sizes(500_000, 625_000, 9_998_552, [8_123_552, 73_100_537], [8_748_552, 9_373_552]),
  "5,000,000 items": sizes(5e6, 625_000, 9_998_552, [8_123_552, 73_100_537], [8_748_552, 9_373_552]),
  "99,997,981": sizes(5e6, 6.25e6, 99_997_981, [81_247_981, 731_221_814], [87_497_981, 93_747_981]),
};

function sizes(
  items: number,
  users: number,
  interactions: number,
  [train, trainItems]: [number, number],
  [validItems, testItems]: [number, number],
): CorpusSizes {
  return {
    split: "leave-one-out",
    items,
    users,
    interactions,
    samples: { train, valid: users, test: users },
    historyItems: { train: trainItems, valid: validItems, test: testItems },
  };
}

/** By the name of the task in the table of figures. */
const ESTIMATES: Record<string, (sizes: CorpusSizes) => number> = {
  "data --check": checkBytes,
  "convert --to genrec": (sizes) => convertBytes(sizes, "genrec"),
  "convert --to recbole": (sizes) => convertBytes(sizes, "recbole"),
  "baseline --model transitions": (sizes) => transitions.bytesInParts!(sizes, { neighbours: 0 }),
  "baseline --model transitions --neighbours 30": (sizes) =>
    transitions.bytesInParts!(sizes, { neighbours: 30 }),
};

Deno.test("what tasks will take is within a fifth of the peaks that were measured", async () => {
  const path = new URL("../../../docs/benchmarks/data.json", import.meta.url);
  const { "beyond-memory": page, check, counted } = JSON.parse(await Deno.readTextFile(path));
  const [counts] = counted.tables[0].rows;
  const rows: string[][] = [
    [counts[0], `${counts[1]} items`, counts.at(-1)],
    ...page.tables[0].rows.map((row: string[]) => [row[0], row[1], row.at(-1)!]),
    ...check.tables[0].rows.map((row: string[]) => ["data --check", row[0], row.at(-1)!]),
  ];
  assert.ok(rows.length >= 9, `${rows.length}`);
  for (const [task, interactions, peak] of rows) {
    const measured = Number(/^([\d,]+) MiB$/.exec(peak)![1].replaceAll(",", "")) * 2 ** 20;
    const ratio = ESTIMATES[task](SIZES[interactions]) / measured;
    assert.ok(ratio > 0.8 && ratio < 1.2, `${task} of ${interactions}: ${ratio.toFixed(2)} of ${peak}`);
  }
});

Deno.test("a check holds more of samples by time, counts of all neighbours more than of some", () => {
  const loo = SIZES["99,997,981"];
  assert.equal(checkBytes({ ...loo, split: "time" }) - checkBytes(loo), 8 * 93_747_981);
  const counts = (neighbours: number) => transitions.bytesInParts!(loo, { neighbours });
  assert.ok(counts(0) > 1.5 * counts(30));
  // 5 M items: 8 bytes each of 10 entries more, which is less than the pairs that there are.
  assert.equal(counts(20) - counts(10), 8 * 10 * 5e6);
});
