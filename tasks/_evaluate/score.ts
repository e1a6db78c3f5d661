import { join } from "node:path";
import { readJson } from "../../base/files/json_file.ts";
import { numbered } from "../../base/json.ts";
import type { Split } from "../../data/dataset.ts";
import { readResults } from "../../data/result_files/read.ts";
import { RawIndex } from "../../data/formats/schema.ts";
import { DEFAULT_KS } from "../../eval/metrics.ts";
import { checkRows, type Score, scoreResults } from "../../eval/score.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { CUTOFF_COLUMNS, cutoffRow } from "./report_lines.ts";
import { figure } from "../_cli/format.ts";
import { loadInputs } from "../../train/run/inputs.ts";
import { writeReport } from "../../base/files/line_file.ts";
import { tableLines } from "../_cli/table.ts";

/** `score.json`. */
export interface ScoreReport extends Score {
  /** Files that were scored, as shards in this order. */
  files: string[];
  /** Split whose samples the rows are; absent where there was no dataset to compare them with. */
  split?: Split;
}

/** What {@link scoreFiles} reads. */
export interface ScoreFlags {
  /** Result files of MiniOneRec or MIMIGenRec. */
  score: readonly string[];
  /** Index file or its folder; empty: the dataset's own. */
  sids: string;
  /** Dataset directory; empty: rows are not compared with a split. */
  data: string;
  split: Split;
  /** Folder for `score.json`; empty: none is written. */
  out: string;
  /** Cut-offs; default {@link DEFAULT_KS}. */
  ks?: readonly number[];
  /** Of the bootstrap intervals. */
  seed: number;
}

/** `evaluate --score`: metrics of other projects' prediction files, without a model or a device. */
export async function scoreFiles(flags: ScoreFlags, io: Pick<TaskIO, "log">): Promise<ScoreReport> {
  const { score: files, data, split, out, ks = DEFAULT_KS, seed } = flags;
  const rows = await readResults(files);
  let sids: string[] | undefined;
  if (data !== "") {
    const inputs = await loadInputs(data, flags.sids);
    sids = inputs.sids.map((sid) => sid.join(""));
    checkRows(rows, inputs.dataset.samples[split].map(({ target }) => sids![target]), split);
  } else if (flags.sids !== "") {
    sids = await joinedSids(flags.sids);
  }
  const score = scoreResults(rows, { sids, ks, seed });
  const report: ScoreReport = { files: [...files], ...(data !== "" && { split }), ...score };
  scoreLines(report).forEach((line) => io.log(line));
  if (out !== "") io.log(`Wrote ${await writeReport(out, "score.json", report)}`);
  return report;
}

async function joinedSids(path: string): Promise<string[]> {
  const file = await isFile(path) ? path : join(path, "index.json");
  return numbered(await readJson(file, RawIndex), file).map((sid) => sid.join(""));
}

/** The report as a table for people. */
function scoreLines(report: ScoreReport): string[] {
  const { users, beams, hr, hrItem, ndcgItem, duplicates, invalid, invalidBeforeHit } = report;
  const rows = Object.keys(hr).map((k) => [
    ...cutoffRow(k, report),
    ...(hrItem && ndcgItem ? [figure(hrItem[k]), figure(ndcgItem[k])] : []),
  ]);
  const heading = ["", ...CUTOFF_COLUMNS, ...(hrItem ? ["HR of items", "NDCG of items"] : [])];
  const known = invalid === undefined
    ? "invalid ones unknown without --sids or --data"
    : `${invalid} invalid, ${invalidBeforeHit} of them before a hit`;
  return [
    `${users} users, ${beams} predictions each`,
    ...tableLines([heading, ...rows]),
    `${duplicates} duplicates, ${known}`,
  ];
}
