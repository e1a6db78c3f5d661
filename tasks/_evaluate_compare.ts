import { join } from "node:path";
import { z } from "zod";
import { type Sample, splits } from "../data/dataset.ts";
import { readJson } from "../data/json_file.ts";
import { readJsonLines } from "../data/json_lines.ts";
import { loadDataset } from "../data/load.ts";
import { UserError } from "../data/user_error.ts";
import {
  compareRanks,
  type Comparison,
  direction,
  type MetricDifference,
  type UserRanks,
} from "../eval/compare.ts";
import { type Credit, SLICE_K } from "../eval/evaluate.ts";
import type { Rank } from "../eval/metrics.ts";
import { boughtInTrain, SLICINGS } from "../eval/slices.ts";
import { writeAtomic } from "../train/run_directory.ts";
import type { TaskIO } from "./_cli.ts";
import { shownKs } from "./_evaluate_report.ts";
import { shardRows } from "./_evaluate_shards.ts";
import { makeFolder } from "./_output.ts";
import { tableLines } from "./_table.ts";

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

// Evaluations of older versions have neither limit nor shards.
const Metrics = z.object({
  run: z.string(),
  checkpoint: z.string(),
  data: z.string(),
  split: z.enum(splits),
  users: z.int(),
  beams: z.int(),
  limit: z.int().default(0),
  shard: z.string().default(""),
});

const Row = z.object({
  row: z.int().optional(),
  user: z.string(),
  target: z.int(),
  rank: z.int().nullable(),
  sharing: z.int().default(1),
});

interface Loaded extends Source, UserRanks {
  metrics: z.output<typeof Metrics>;
  users: string[];
  targets: number[];
}

/** `evaluate --compare`: paired differences between evaluations of the same users. */
export async function compareFolders(flags: CompareFlags, io: Pick<TaskIO, "log">): Promise<CompareReport> {
  const { compare: folders, credit, seed, out } = flags;
  if (folders.length < 2) {
    throw new UserError(
      `Cannot compare ${folders[0]} with nothing: expected two folders or more, the baseline first`,
    );
  }
  const [baseline, ...others] = await Promise.all(folders.map((folder) => load(folder, credit)));
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
      const comparison = compareRanks(baseline, other, { ks, slices, seed });
      const verdict = verdictOf(comparison, baseline.folder, other.folder);
      return { ...sourceOf(other), ...comparison, verdict };
    }),
  };
  for (const comparison of report.comparisons) {
    comparisonLines(comparison, report).forEach((line) => io.log(line));
  }
  if (out !== "") {
    await makeFolder(out);
    const path = join(out, "compare.json");
    await writeAtomic(path, JSON.stringify(report, null, 2) + "\n");
    io.log(`Wrote ${path}`);
  }
  return report;
}

const sourceOf = ({ folder, run, checkpoint }: Loaded): Source => ({ folder, run, checkpoint });

async function load(folder: string, credit: Credit): Promise<Loaded> {
  const metrics = await readJson(join(folder, "metrics.json"), Metrics);
  const users: string[] = [];
  const targets: number[] = [];
  const ranks: Rank[] = [];
  const sharing: number[] = [];
  for await (const { value } of readJsonLines(join(folder, "predictions.jsonl"), Row)) {
    if (value.row === undefined && credit === "group") {
      throw new UserError(
        `Cannot compare ${folder} with --credit group: its predictions.jsonl does not tell how many items share a SID. ` +
          "Evaluate it again",
      );
    }
    users.push(value.user);
    targets.push(value.target);
    ranks.push(value.rank);
    sharing.push(credit === "group" ? value.sharing : 1);
  }
  if (users.length !== metrics.users) {
    throw new UserError(
      `Cannot compare ${folder}: its predictions.jsonl has ${users.length} users, its metrics.json ${metrics.users}, ` +
        "expected as many. Evaluate it again",
    );
  }
  return {
    folder,
    run: metrics.run,
    checkpoint: metrics.checkpoint,
    metrics,
    users,
    targets,
    ranks,
    sharing,
  };
}

// Another user in one row pairs every row with a stranger's.
function checkPaired(baseline: Loaded, other: Loaded): void {
  const refuse = (what: string, found: string | number, expected: string | number) => {
    throw new UserError(
      `Cannot compare ${other.folder} with ${baseline.folder}: ${what} is ${
        found || "none"
      }, that of the baseline is ` +
        `${expected || "none"}, expected the same. Evaluate both on the same users`,
    );
  };
  for (const setting of ["split", "limit", "shard", "users"] as const) {
    const [found, expected] = [other.metrics[setting], baseline.metrics[setting]];
    if (found !== expected) refuse(`its ${setting}`, found, expected);
  }
  baseline.users.forEach((user, row) => {
    if (other.users[row] !== user) refuse(`the user of row ${row}`, other.users[row], user);
    if (other.targets[row] !== baseline.targets[row]) {
      refuse(`the target of row ${row}`, other.targets[row], baseline.targets[row]);
    }
  });
}

async function slicesOf({ folder, metrics, users, targets }: Loaded, given: string) {
  const data = given || metrics.data;
  const { items, samples } = await loadDataset(data);
  const all = metrics.limit > 0 ? samples[metrics.split].slice(0, metrics.limit) : samples[metrics.split];
  const { first, end } = shardRows(metrics.shard, all.length);
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

const signed = (value: number) => (value < 0 ? "-" : "+") + Math.abs(value).toFixed(4);
const interval = ({ ci95: [low, high] }: MetricDifference) => `${signed(low)} to ${signed(high)}`;
const pValue = ({ p }: MetricDifference) => p < 0.001 ? "<0.001" : p.toFixed(3);

/** What the difference in NDCG at 10, or the cut-off before it, says in a sentence. */
function verdictOf({ ndcg, users }: Comparison, baseline: string, other: string): string {
  const ks = Object.keys(ndcg);
  const k = ks.filter((k) => Number(k) <= SLICE_K).at(-1) ?? ks[0];
  const found = ndcg[k];
  const figures = `NDCG@${k} ${signed(found.difference)} (95 % ${interval(found)}, p ${
    pValue(found)
  }, ${users} users)`;
  const is = direction(found);
  if (is === "none") return `${figures}: no difference between ${other} and ${baseline} is shown`;
  return `${figures}: ${other} is ${is} than ${baseline}`;
}

function comparisonLines(
  { folder, hr, ndcg, slices, verdict }: CompareReport["comparisons"][number],
  { baseline, split, users }: CompareReport,
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
    verdict,
  ];
}
