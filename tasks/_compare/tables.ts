import type { SeedStatistics } from "../../eval/seed_statistics.ts";
import { metricColumns, type SeedResult, type SystemsReport } from "./report.ts";
import { interval, pValue, signed } from "../_cli/difference.ts";
import { short } from "../_cli/format.ts";
import { tableLines } from "../_cli/table.ts";
import { duration } from "../_cli/progress.ts";

/** A table as text: the first row is the head, the first `left` columns hold words. */
export interface TextTable {
  rows: string[][];
  left: number;
}

/** Mean with half of its interval; alone where one seed gives none. */
export function withInterval({ mean, ci95 }: SeedStatistics): string {
  return ci95 === null ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${(ci95[1] - mean).toFixed(4)}`;
}

type Costs = Pick<SeedResult, "parameters" | "trainingSeconds" | "usersPerSecond">;

const NONE = "–";

/** Costs of an evaluation in words; {@link COST_COLUMNS} names the columns. */
function costs({ parameters, trainingSeconds, usersPerSecond }: Costs): string[] {
  return [
    parameters === null ? NONE : short(parameters),
    trainingSeconds === null ? NONE : duration(trainingSeconds),
    usersPerSecond === null ? NONE : short(usersPerSecond),
  ];
}

const COST_COLUMNS = ["parameters", "training", "users/s"];

/** A system a row: quality and costs. */
export function systemsTable({ systems, ks, baseline }: SystemsReport): TextTable {
  const columns = metricColumns(ks);
  const head = ["system", "seeds", ...columns.map(({ label }) => label), ...COST_COLUMNS];
  const rows = systems.map((system) => [
    system.name === baseline ? `${system.name} (baseline)` : system.name,
    String(system.evaluations.length),
    ...columns.map(({ metric, k }) => withInterval(system[metric][k])),
    ...costs({
      parameters: system.parameters?.mean ?? null,
      trainingSeconds: system.trainingSeconds?.mean ?? null,
      usersPerSecond: system.usersPerSecond?.mean ?? null,
    }),
  ]);
  return { rows: [head, ...rows], left: 1 };
}

/** A paired test a row. */
export function differencesTable({ systems, ks }: SystemsReport): TextTable {
  const rows = systems.flatMap(({ name, comparison }) =>
    comparison === null ? [] : metricColumns(ks).map(({ metric, k, label }) => {
      const found = comparison[metric][k];
      return [name, label, signed(found.difference), interval(found), pValue(found)];
    })
  );
  return { rows: [["system", "metric", "difference", "95 %", "p"], ...rows], left: 2 };
}

/** An evaluation a row. */
export function evaluationsTable({ systems, ks }: SystemsReport): TextTable {
  const columns = metricColumns(ks);
  const head = [
    "system",
    "evaluation",
    "checkpoint",
    "seed",
    ...columns.map(({ label }) => label),
    ...COST_COLUMNS,
  ];
  const rows = systems.flatMap(({ name, evaluations }) =>
    evaluations.map((result) => [
      name,
      result.folder,
      result.checkpoint || NONE,
      result.seed === null ? NONE : String(result.seed),
      ...columns.map(({ metric, k }) => result[metric][k].toFixed(4)),
      ...costs(result),
    ])
  );
  return { rows: [head, ...rows], left: 3 };
}

/** What the comparison is of. */
export function subject({ split, users, dataset, baseline }: SystemsReport): string {
  return `${dataset === null ? "" : `${dataset}, `}${split}, ${users} users, baseline ${baseline}`;
}

/** The report for a terminal. */
export function reportLines(report: SystemsReport): string[] {
  const lines = ({ rows, left }: TextTable) => tableLines(rows, Array.from({ length: left }, (_, i) => i));
  return [
    subject(report),
    ...lines(systemsTable(report)),
    ...report.systems.length < 2 ? [] : lines(differencesTable(report)),
    ...verdicts(report),
    ...report.notes,
  ];
}

/** `compare.md`. */
export function markdown(report: SystemsReport): string {
  const parts = [
    `# Comparison of ${report.systems.map(({ name }) => escaped(name)).join(", ")}`,
    `${escaped(subject(report))}. Means over seeds ± half of their 95 % interval.`,
    pipes(systemsTable(report)),
    ...report.systems.length < 2 ? [] : ["## Differences from the baseline", pipes(differencesTable(report))],
    verdicts(report).map((line) => `- ${escaped(line)}`).join("\n"),
    "## Evaluations",
    pipes(evaluationsTable(report)),
    "## How to read it",
    report.notes.map((line) => `- ${escaped(line)}`).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

function verdicts({ systems }: SystemsReport): string[] {
  return systems.flatMap(({ comparison }) => comparison === null ? [] : [comparison.verdict]);
}

const escaped = (text: string) => text.replace(/[\\`*_|<>[\]]/g, "\\$&");

function pipes({ rows: [head, ...rows], left }: TextTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => i < left ? "---" : "---:");
  return [line(head.map(escaped)), line(rule), ...rows.map((row) => line(row.map(escaped)))].join("\n");
}
