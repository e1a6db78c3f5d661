import type { Sample } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import { UserError } from "../../base/user_error.ts";
import { compareRanks, type Comparison, type MetricDifference } from "../../eval/compare.ts";
import type { Credit } from "../../eval/evaluate.ts";
import { boughtInTrain, SLICINGS } from "../../eval/slices.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { interval, pValue, signed, verdictOf } from "../_cli/difference.ts";
import { STRING_CREDIT } from "./credit_flag.ts";
import { shownKs } from "./report_lines.ts";
import { userRows } from "./shards.ts";
import { checkPaired, type EvaluationFolder, readEvaluation } from "./evaluation_folder.ts";
import { writeReport } from "../../base/files/line_file.ts";
import { tableLines } from "../_cli/table.ts";

/** Which evaluation something is of. */
interface Source {
  folder: string;
  run: string;
  checkpoint: string;
}

/** `compare.json`. */
export interface CompareReport {
  baseline: Source;
  split: string;
  users: number;
  credit: Credit;
  seed: number;
  /** The other evaluations against the baseline. */
  comparisons: (Source & Comparison & { verdict: string })[];
}

/** What {@link compareFolders} reads. */
export interface CompareFlags {
  /** Folders of evaluations; the first one is the baseline. */
  compare: readonly string[];
  /** Dataset directory, for the slices; empty: the one that was evaluated. */
  data: string;
  ks: readonly number[];
  credit: Credit;
  seed: number;
  /** Folder for `compare.json`; empty: none is written. */
  out: string;
}

/** `evaluate --compare`: paired differences between evaluations of the same users. */
export async function compareFolders(flags: CompareFlags, io: Pick<TaskIO, "log">): Promise<CompareReport> {
  const { compare: folders, credit, seed, out } = flags;
  if (folders.length < 2) {
    throw new UserError(
      `Cannot compare ${folders[0]} with nothing: expected two folders or more, the baseline first`,
    );
  }
  const [baseline, ...others] = await Promise.all(folders.map((folder) => readEvaluation(folder, credit)));
  for (const other of others) checkPaired(baseline, other);
  const beams = Math.min(...[baseline, ...others].map(({ metrics }) => metrics.beams));
  const ks = [...new Set(flags.ks)].filter((k) => k <= beams).sort((a, b) => a - b);
  if (ks.length === 0) {
    throw new UserError(
      `Cannot compare at ${flags.ks.join(", ")}: the lists have ${beams} beams. Lower --ks`,
    );
  }
  const slices = await slicesOf(baseline, flags.data);
  const { split } = baseline.metrics;
  const report: CompareReport = {
    baseline: sourceOf(baseline),
    split,
    users: baseline.users.length,
    credit,
    seed,
    comparisons: others.map((other) => {
      const comparison = compareRanks([baseline], [other], { ks, slices, seed });
      const verdict = verdictOf(comparison, baseline.folder, other.folder);
      return { ...sourceOf(other), ...comparison, verdict };
    }),
  };
  for (const comparison of report.comparisons) {
    comparisonLines(comparison, report).forEach((line) => io.log(line));
  }
  if (out !== "") io.log(`Wrote ${await writeReport(out, "compare.json", report)}`);
  return report;
}

function sourceOf({ folder, metrics: { run, checkpoint } }: EvaluationFolder): Source {
  return { folder, run, checkpoint };
}

async function slicesOf({ folder, metrics, users, targets }: EvaluationFolder, given: string) {
  const data = given || metrics.data;
  const { items, samples } = await loadDataset(data);
  const all = metrics.limit > 0 ? samples[metrics.split].slice(0, metrics.limit) : samples[metrics.split];
  const { first, end } = userRows(metrics.shard, all.length);
  const own = all.slice(first, end);
  const differs = ({ user, target }: Sample, row: number) => user !== users[row] || target !== targets[row];
  if (own.length !== users.length || own.some(differs)) {
    throw new UserError(
      `Cannot compare ${folder} by slices: its users are not those of split ${metrics.split} of ${data}. Name the ` +
        "dataset that was evaluated with --data",
    );
  }
  const bought = boughtInTrain(samples.train, items.length);
  return SLICINGS.map((slicing) => ({
    slicing,
    buckets: own.map((sample) => slicing.bucketOf(sample, bought)),
  }));
}

function comparisonLines(
  { folder, hr, ndcg, slices, verdict }: CompareReport["comparisons"][number],
  { baseline, split, users, credit }: CompareReport,
): string[] {
  const cells = (found: MetricDifference) => [
    found.baseline.toFixed(4),
    found.value.toFixed(4),
    signed(found.difference),
    interval(found),
    pValue(found),
  ];
  const ks = shownKs(Object.keys(hr));
  const columns = ["baseline", "this", "difference", "95 %", "p"];
  const rows = [
    ...ks.map((k) => [`HR@${k}`, ...cells(hr[k])]),
    ...ks.map((k) => [`NDCG@${k}`, ...cells(ndcg[k])]),
  ];
  const parts = SLICINGS.flatMap(({ name, title }) => {
    const buckets = Object.entries(slices[name]);
    return buckets.length < 2 ? [] : buckets.map(([bucket, part], i) => {
      const [k] = Object.keys(part.ndcg);
      return [i === 0 ? title : "", bucket, String(part.users), `NDCG@${k}`, ...cells(part.ndcg[k])];
    });
  });
  return [
    `${folder} against ${baseline.folder}, ${split}, ${users} users`,
    ...tableLines([["", ...columns], ...rows]),
    ...parts.length === 0 ? [] : tableLines([["slice", "", "users", "", ...columns], ...parts], [0, 1]),
    ...credit === "group" ? [] : [STRING_CREDIT],
    verdict,
  ];
}
