import { join } from "node:path";
import { z } from "zod";
import { readJson } from "../../base/files/json_file.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { escapeHtml, section, table } from "../../base/html_page.ts";
import { UserError } from "../../base/user_error.ts";
import type { EvaluationPage } from "../../web/studio/messages.ts";
import { compareSections } from "../_compare/html.ts";
import { reportSystems } from "../_compare/report.ts";
import { type Group, openGroups } from "../_compare/run_groups.ts";
import type { ShownRun } from "./shown_run.ts";

const KS = [1, 5, 10];
const SEED = 42;
/** Hits are counted as evaluations count them by default. */
const CREDIT = "group";

const byK = z.record(z.string(), z.number());
const Figures = z.object({
  split: z.string(),
  users: z.int(),
  limit: z.int().default(0),
  shard: z.string().default(""),
  data: z.string().default(""),
  hr: byK,
  ndcg: byK,
  ci95: z.object({
    hr: z.record(z.string(), z.tuple([z.number(), z.number()])),
    ndcg: z.record(z.string(), z.tuple([z.number(), z.number()])),
  }).optional(),
});
type Figures = z.output<typeof Figures>;

interface Evaluation {
  folder: string;
  figures: Figures;
}

/**
 * The evaluations of runs, as they are, and those of the same users against each other: tables, charts and paired tests of
 * `genrec compare`. `more` are folders of evaluations that lie elsewhere; `wanted` is the baseline, "" for the first.
 */
export async function evaluationPage(
  runs: readonly ShownRun[],
  more: readonly string[],
  wanted: string,
): Promise<EvaluationPage> {
  const folders = [
    ...(await Promise.all(runs.map(({ folder: { path } }) => evaluationsIn(path)))).flat(),
    ...more,
  ];
  const evaluations: Evaluation[] = [];
  for (const folder of new Set(folders)) {
    evaluations.push({ folder, figures: await readJson(join(folder, "metrics.json"), Figures) });
  }
  if (evaluations.length === 0) {
    const html = section(
      "No evaluations",
      "None of the runs holds one. Make one with genrec evaluate --run RUN --out RUN/eval, or name those that lie " +
        "elsewhere with --evals",
      "",
    );
    return { html, systems: [], baseline: "" };
  }
  const paired = Map.groupBy(
    evaluations,
    ({ figures: { split, users, limit, shard } }) => JSON.stringify([split, users, limit, shard]),
  );
  const parts = [section(
    "Evaluations",
    "With 95 % intervals over users (bootstrap), as each evaluation has them.",
    figuresTable(evaluations),
  )];
  const systems: string[] = [];
  for (const members of paired.values()) {
    if (members.length < 2) continue;
    try {
      const groups = await openGroups(members.map(({ folder }) => folder), [], CREDIT);
      systems.push(...groups.map(({ name }) => name));
      parts.push(...comparison(groups, wanted));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      parts.push(section("Not compared", error.message, "", "warnings"));
    }
  }
  const baseline = systems.includes(wanted) ? wanted : systems[0] ?? "";
  return { html: parts.join("\n"), systems, baseline };
}

function comparison(groups: readonly Group[], wanted: string): string[] {
  if (groups.length < 2) return [];
  const baseline = groups.find(({ name }) => name === wanted) ?? groups[0];
  const beams = Math.min(
    ...groups.flatMap(({ members }) => members.map(({ evaluation }) => evaluation.metrics.beams)),
  );
  const ks = KS.filter((k) => k <= beams);
  return compareSections(reportSystems(groups, baseline, { ks, credit: CREDIT, seed: SEED }));
}

function figuresTable(evaluations: readonly Evaluation[]): string {
  const names = (["hr", "ndcg"] as const).flatMap((metric) => KS.map((k) => [metric, k] as const));
  const rows = evaluations.map(({ folder, figures }) => [
    escapeHtml(folder),
    escapeHtml(figures.split),
    String(figures.users),
    ...names.map(([metric, k]) => {
      const value = figures[metric][k], ends = figures.ci95?.[metric][k];
      if (value === undefined) return "–";
      const range = ends && `<small>${ends[0].toFixed(4)} to ${ends[1].toFixed(4)}</small>`;
      return value.toFixed(4) + (range ?? "");
    }),
  ]);
  const head = [
    "evaluation",
    "split",
    "users",
    ...names.map(([metric, k]) => `${metric.toUpperCase()}@${k}`),
  ];
  return table(head, rows, 2);
}

async function evaluationsIn(run: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(run)) {
    const folder = join(run, name);
    if (isDirectory && await isFile(join(folder, "metrics.json"))) found.push(folder);
  }
  return found.sort();
}
