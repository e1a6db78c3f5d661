import { join } from "node:path";
import type { Split } from "../../data/dataset.ts";
import type { BaselineResult } from "../../train/baselines/method.ts";
import type { TaskIO } from "../_cli/cli.ts";
import type { EvaluateReport } from "../_evaluate/report_lines.ts";
import { figure } from "../_cli/format.ts";
import { trimDevices } from "../_cli/open_devices.ts";
import { writeReport } from "../../base/files/line_file.ts";
import type { StageName, TrainedStages } from "./etegrec_stages.ts";
import { tableLines } from "../_cli/table.ts";
import { evaluate, task as evaluateTask } from "../evaluate.ts";

/** What the papers report. */
const RECALL_KS = [1, 5, 10];
const NDCG_KS = [5, 10];

/** Metrics of a stage on a split. */
export interface StageMetrics extends
  Pick<
    EvaluateReport,
    "users" | "hr" | "ndcg" | "ci95" | "invalid" | "secondsPerUser" | "checkpoint"
  > {
  /** Share of what was written that is no SID. */
  invalidShare: number;
}

/** `report.json`: the stages side by side. */
export interface EtegrecReport {
  /** Stage whose SIDs are the run's. */
  best: StageName;
  stages: Partial<
    Record<StageName, {
      /** Validation of the checkpoint that is kept, on a part of the valid split; null without one. */
      validation: BaselineResult["best"];
      seconds: number;
      /** By split. */
      metrics: Partial<Record<Split, StageMetrics>>;
    }>
  >;
}

/** What to report on. */
export interface ReportOptions {
  out: string;
  stages: TrainedStages;
  best: StageName;
  evaluate: readonly Split[];
  beams: number;
  limit: number;
  adapter: string;
  variant: string;
  /** Whether any codewords may be written: see `ProductSearch`. */
  unconstrained: boolean;
}

/** Ranks the splits with each stage, where that is not done yet, and puts the results side by side. */
export async function reportStages(options: ReportOptions, io: TaskIO): Promise<EtegrecReport> {
  const { out, stages, best, evaluate: wanted, beams, limit, adapter, variant, unconstrained } = options;
  const report: EtegrecReport = { best, stages: {} };
  for (const [name, { best: validation, seconds }] of stages) {
    const metrics: Partial<Record<Split, StageMetrics>> = {};
    for (const split of wanted) {
      const run = join(out, name);
      const folder = join(run, `eval-${split}${unconstrained ? "-unconstrained" : ""}`);
      const flags = { run, split, beams, limit, adapter, variant, unconstrained, out: folder, resume: true };
      io.log(`Stage ${name}, ${split} split`);
      const { users, hr, ndcg, ci95, invalid, secondsPerUser, checkpoint } = await evaluate(
        evaluateTask.config.parse(flags) as Parameters<typeof evaluate>[0],
        // Its tables say less than the one below.
        { ...io, log: (line) => line.startsWith("Memory:") && io.log(line) },
      );
      const invalidShare = invalid / (users * beams);
      trimDevices();
      metrics[split] = { users, hr, ndcg, ci95, invalid, invalidShare, secondsPerUser, checkpoint };
    }
    report.stages[name] = { validation, seconds, metrics };
  }
  reportLines(report, wanted, unconstrained).forEach((line) => io.log(line));
  io.log(`Wrote ${await writeReport(out, "report.json", report)}`);
  return report;
}

/** A table a split. */
function reportLines(
  { stages, best }: EtegrecReport,
  wanted: readonly Split[],
  unconstrained: boolean,
): string[] {
  return wanted.flatMap((split) => {
    const rows = Object.entries(stages).map(([name, { metrics }]) => {
      const { hr, ndcg, invalidShare } = metrics[split]!;
      const values = [...RECALL_KS.map((k) => hr[k]), ...NDCG_KS.map((k) => ndcg[k])];
      const invalid = unconstrained ? [`${(100 * invalidShare).toFixed(1)} %`] : [];
      return [name === best ? `${name}, kept` : name, ...values.map(figure), ...invalid];
    });
    const heading = [
      split,
      ...RECALL_KS.map((k) => `Recall@${k}`),
      ...NDCG_KS.map((k) => `NDCG@${k}`),
      ...unconstrained ? ["no SID"] : [],
    ];
    return tableLines([heading, ...rows]);
  });
}
