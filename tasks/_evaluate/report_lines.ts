import { type Evaluation, SLICE_K, type Summary } from "../../eval/evaluate.ts";
import { SLICINGS } from "../../eval/slices.ts";
import { STRING_CREDIT } from "./credit_flag.ts";
import type { RowSettings } from "./row_file.ts";
import { figure, range } from "../_cli/format.ts";
import { tableLines } from "../_cli/table.ts";

/** `metrics.json`. Baselines rank items themselves: their `hr` is that of items, as the model's `hrItem` is. */
export interface EvaluateReport extends Evaluation, Omit<RowSettings, "split" | "beams"> {
  /** Name of the method or architecture. */
  model: string;
  mixture?: Evaluation & { weight: number };
  /** By name. */
  baselines?: Record<string, Evaluation>;
}

/** Heading of {@link cutoffRow}. */
export const CUTOFF_COLUMNS = ["HR", "95 %", "NDCG", "95 %"];

/** A cut-off and its metrics with their intervals. */
export function cutoffRow(k: string, { hr, ndcg, ci95 }: Pick<Summary, "hr" | "ndcg" | "ci95">): string[] {
  return [`@${k}`, figure(hr[k]), range(ci95.hr[k]), figure(ndcg[k]), range(ci95.ndcg[k])];
}

/** The report as tables for people. */
export function evaluationLines(report: EvaluateReport): string[] {
  const {
    split,
    users,
    beams,
    weights,
    mixture,
    baselines,
    checkpoint,
    invalid,
    duplicates,
    secondsPerUser,
  } = report;
  const unit = report.lists === "items" ? "items a user" : "beams";
  const ks = shownKs(Object.keys(report.hr));
  const ndcgKs = ks.filter((k) => k !== "1" || ks.length === 1);
  const last = ks.at(-1)!;
  const row = (name: string, { hr, ndcg, ci95 }: Evaluation) => [
    name,
    ...ks.map((k) => figure(hr[k])),
    ...ndcgKs.map((k) => figure(ndcg[k])),
    range(ci95.hr[last]),
    range(ci95.ndcg[last]),
  ];
  const heading = [
    `${split}, ${users} users`,
    ...ks.map((k) => `HR@${k}`),
    ...ndcgKs.map((k) => `NDCG@${k}`),
    `95 % of HR@${last}`,
    `95 % of NDCG@${last}`,
  ];
  const rows = [row(`model (${checkpoint})`, report)];
  if (mixture) rows.push(row(`model + ${mixture.weight} transitions`, mixture));
  for (const [name, baseline] of Object.entries(baselines ?? {})) rows.push(row(name, baseline));
  return [
    ...tableLines([heading, ...rows]),
    ...creditLines(report),
    ...sliceLines(report),
    `The first ${last} places show ${(100 * report.coverage[last]).toFixed(1)} % of the catalogue, Gini ${
      figure(report.gini[last])
    } (0: all items alike); MRR ${figure(report.mrr)}`,
    `${beams} ${unit}, ${weights === "float32" ? "" : `weights in ${weights}, `}${
      report.repetitionPenalty === 1 ? "" : `repetition penalty ${report.repetitionPenalty}, `
    }${invalid} invalid, ${duplicates} duplicates, ${(1000 * secondsPerUser).toFixed(1)} ms a user`,
  ];
}

/** How hits were counted, where not by item, and what they are by item. */
function creditLines({ credit, lists, hr, hrItem, ndcgItem }: EvaluateReport): string[] {
  if (credit === "group" || lists === "items") return [];
  const k = shownKs(Object.keys(hr)).at(-1)!;
  return [`${STRING_CREDIT}; by item HR@${k} is ${figure(hrItem[k])}, NDCG@${k} ${figure(ndcgItem[k])}`];
}

/** All cut-offs where they are few, else those that papers report. */
export function shownKs(ks: readonly string[]): readonly string[] {
  const usual = ks.filter((k) => ["1", "5", "10"].includes(k));
  return ks.length <= 3 || usual.length === 0 ? ks : usual;
}

/** Slices of two buckets or more, a row each. */
function sliceLines({ slices, users, beams }: Evaluation): string[] {
  const k = Math.min(SLICE_K, beams);
  const rows = SLICINGS.flatMap(({ name, title }) => {
    const buckets = Object.entries(slices[name] ?? {});
    if (buckets.length < 2) return [];
    return buckets.map(([bucket, { users: part, hr, ndcg, ci95 }], i) => [
      i === 0 ? title : "",
      bucket,
      String(part),
      `${(100 * part / users).toFixed(1)} %`,
      figure(hr[k]),
      range(ci95.hr[k]),
      figure(ndcg[k]),
      range(ci95.ndcg[k]),
    ]);
  });
  if (rows.length === 0) return [];
  const heading = ["slice", "", "users", "share", `HR@${k}`, "95 %", `NDCG@${k}`, "95 %"];
  return tableLines([heading, ...rows], [0, 1]);
}
