import { join } from "node:path";
import { z } from "zod";
import { badValue } from "../../base/file_error.ts";
import { readJsonLines } from "../../base/files/json_lines.ts";
import type { RankedSids } from "../../data/result_files/format.ts";
import { resultFormat } from "../../data/result_files/by_name.ts";
import { DEFAULT_KS, type Rank, rankMetrics } from "../../eval/metrics.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { LineFile, makeFolder } from "../../base/files/line_file.ts";

const Row = z.looseObject({
  row: z.int().min(0).optional(),
  history: z.array(z.int().min(0)),
  target: z.int().min(0),
  rank: z.int().min(0).nullable(),
  items: z.array(z.int().min(0)),
});

/**
 * Writes the `predictions.jsonl` of an evaluation folder as another project would, into a folder of that project's name
 * beside it: `final_result.json`, streamed, and its metrics. `sids` are the joined SIDs of items (N), `asked` what the model read for a row. Returns
 * the paths.
 */
export async function writeResults(
  name: string,
  folder: string,
  sids: readonly string[],
  ks: readonly number[] = DEFAULT_KS,
  asked?: (row: number) => RankedSids["asked"],
): Promise<string[]> {
  const format = resultFormat(name);
  const out = join(folder, name);
  await makeFolder(out);
  const path = join(out, "final_result.json");
  await using file = await LineFile.create(path);
  const ranks: Rank[] = [];
  let beams = 0;
  const rows = join(folder, "predictions.jsonl");
  for await (const { line, value } of readJsonLines(rows, Row)) {
    const { history, target, rank, items } = value;
    const unknown = [...history, target, ...items].find((item) => item >= sids.length);
    if (unknown !== undefined) {
      throw badValue({ path: rows, line }, `items from 0 to ${sids.length - 1}`, unknown, "Evaluate again");
    }
    // Items that share a SID stand together.
    const predictions = items.map((item) => sids[item]).filter((sid, i, all) => sid !== all[i - 1]);
    const row = format.row({
      history: history.map((item) => sids[item]),
      target: sids[target],
      predictions,
      asked: asked?.(value.row ?? ranks.length),
    });
    await file.write((ranks.length === 0 ? "[\n" : ",\n") + indented(row));
    if (ranks.length === 0) beams = predictions.length;
    ranks.push(rank);
  }
  await file.write("\n]");
  await file.commit();

  const written = [path];
  const means = rankMetrics(ranks, ks.filter((k) => k <= beams));
  for (const [other, text] of format.summary(means, path)) {
    written.push(join(out, other));
    await writeAtomic(written.at(-1)!, text);
  }
  return written;
}

/** A row of a list as Python's `json.dump(list, file, indent=4)` has it. */
function indented(row: Record<string, unknown>): string {
  return "    " + JSON.stringify(row, null, 4).replaceAll("\n", "\n    ");
}
