import { compareRanks, direction, type SummaryDifference, userMeans, verdictK } from "../../eval/compare.ts";
import type { Credit } from "../../eval/evaluate.ts";
import { hitsAtK, mean, ndcgAtK } from "../../eval/metrics.ts";
import { type SeedStatistics, seedStatistics } from "../../eval/seed_statistics.ts";
import type { Group, Member } from "./run_groups.ts";
import { verdictOf } from "../_cli/difference.ts";
import { STRING_CREDIT } from "../_evaluate/credit_flag.ts";

/** One evaluation: a seed of a system. */
export interface SeedResult {
  folder: string;
  run: string;
  seed: number | null;
  checkpoint: string;
  /** By cut-off. */
  hr: Record<string, number>;
  ndcg: Record<string, number>;
  parameters: number | null;
  trainingSeconds: number | null;
  usersPerSecond: number | null;
  adapter: string | null;
}

/** What is quoted of a system. Null where some of its evaluations do not tell. */
export interface SystemResult {
  name: string;
  /** By cut-off, over seeds. */
  hr: Record<string, SeedStatistics>;
  ndcg: Record<string, SeedStatistics>;
  parameters: SeedStatistics | null;
  trainingSeconds: SeedStatistics | null;
  usersPerSecond: SeedStatistics | null;
  evaluations: SeedResult[];
  /** Paired differences from the baseline; null of the baseline. */
  comparison: (SummaryDifference & { direction: "better" | "worse" | "none"; verdict: string }) | null;
}

/** `compare.json`. */
export interface SystemsReport {
  /** Name of a system. */
  baseline: string;
  split: string;
  users: number;
  dataset: string | null;
  credit: Credit;
  /** Cut-offs. */
  ks: number[];
  /** Of bootstrap and sign flips. */
  seed: number;
  systems: SystemResult[];
  /** What a reader has to know of the figures. */
  notes: string[];
}

/** Columns of tables; NDCG at 1 is the hit rate at 1. */
export function metricColumns(ks: readonly number[]): { metric: "hr" | "ndcg"; k: number; label: string }[] {
  return [
    ...ks.map((k) => ({ metric: "hr" as const, k, label: `HR@${k}` })),
    ...ks.filter((k) => k > 1 || ks.length === 1).map((k) => ({
      metric: "ndcg" as const,
      k,
      label: `NDCG@${k}`,
    })),
  ];
}

/** Means over seeds, and paired tests against the baseline, at cut-offs that all evaluations have beams for. */
export function reportSystems(
  groups: readonly Group[],
  baseline: Group,
  options: { ks: number[]; credit: Credit; seed: number },
): SystemsReport {
  const { ks, seed } = options;
  const [{ evaluation: { metrics } }] = baseline.members;
  const systems = groups.map((group) => systemResult(group, baseline, ks, seed));
  const datasets = groups.flatMap(({ members }) => members.map(({ run }) => run.dataset));
  return {
    baseline: baseline.name,
    split: metrics.split,
    users: metrics.users,
    dataset: datasets.find((name) => name !== null) ?? null,
    ...options,
    systems,
    notes: notesOf(systems, options),
  };
}

function systemResult(group: Group, baseline: Group, ks: number[], seed: number): SystemResult {
  const evaluations = group.members.map((member) => seedResult(member, ks));
  const over = (value: (result: SeedResult) => number) => seedStatistics(evaluations.map(value));
  const overKnown = (value: (result: SeedResult) => number | null) => {
    const values = evaluations.map(value).filter((value) => value !== null);
    return values.length === evaluations.length ? seedStatistics(values) : null;
  };
  const byK = (metric: "hr" | "ndcg") =>
    Object.fromEntries(ks.map((k) => [k, over((result) => result[metric][k])]));
  return {
    name: group.name,
    hr: byK("hr"),
    ndcg: byK("ndcg"),
    parameters: overKnown(({ parameters }) => parameters),
    trainingSeconds: overKnown(({ trainingSeconds }) => trainingSeconds),
    usersPerSecond: overKnown(({ usersPerSecond }) => usersPerSecond),
    evaluations,
    comparison: group === baseline ? null : compared(group, baseline, ks, seed),
  };
}

function compared(group: Group, baseline: Group, ks: number[], seed: number): SystemResult["comparison"] {
  const ranks = ({ members }: Group) => members.map(({ evaluation }) => evaluation);
  const { users, hr, ndcg } = compareRanks(ranks(baseline), ranks(group), { ks, slices: [], seed });
  return {
    users,
    hr,
    ndcg,
    direction: direction(ndcg[verdictK(ks)]),
    verdict: verdictOf({ users, hr, ndcg }, baseline.name, group.name),
  };
}

function seedResult({ evaluation, run }: Member, ks: number[]): SeedResult {
  const { folder, metrics } = evaluation;
  const at = (metric: typeof hitsAtK) =>
    Object.fromEntries(ks.map((k) => [k, mean(userMeans([evaluation], metric, k))]));
  return {
    folder,
    run: run.path,
    seed: run.seed,
    checkpoint: metrics.checkpoint,
    hr: at(hitsAtK),
    ndcg: at(ndcgAtK),
    parameters: run.parameters,
    trainingSeconds: run.trainingSeconds,
    // Nothing was ranked where all rows were there from before.
    usersPerSecond: metrics.secondsPerUser > 0 ? 1 / metrics.secondsPerUser : null,
    adapter: run.adapter,
  };
}

function notesOf(
  systems: readonly SystemResult[],
  { ks, credit }: Pick<SystemsReport, "ks" | "credit">,
): string[] {
  const alone = systems.filter(({ evaluations }) => evaluations.length === 1).map(({ name }) => name);
  const adapters = new Set(
    systems.flatMap(({ evaluations }) => evaluations.map(({ adapter }) => adapter)).filter((name) =>
      name !== null
    ),
  );
  const tests = metricColumns(ks).length * (systems.length - 1);
  return [
    "Intervals over seeds (t) say where the mean of more seeds would lie. Differences are paired by user, seeds " +
    "averaged: their intervals (bootstrap) and p-values (sign flips) say where more users would lead.",
    ...credit === "group" ? [] : [STRING_CREDIT + "."],
    ...alone.length === 0 ? [] : [
      `One seed says nothing of others, so there is no interval over seeds for ${alone.join(", ")}.`,
    ],
    ...tests < 2 ? [] : [
      `${tests} differences are tested, without correction: by chance alone one in twenty has a p-value below 0.05.`,
    ],
    ...adapters.size < 2 ? [] : [
      `Times are of ${adapters.size} adapters (${
        [...adapters].join(", ")
      }) and cannot be compared between them.`,
    ],
  ];
}
