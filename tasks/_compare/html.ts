import { details, escapeHtml, htmlPage, section, table, tiles, withThousands } from "../../base/html_page.ts";
import { direction, type MetricDifference, verdictK } from "../../eval/compare.ts";
import { costChart, type CostPoint, intervalChart } from "./charts.ts";
import css from "./page.css" with { type: "text" };
import type { SystemResult, SystemsReport } from "./report.ts";
import {
  differencesTable,
  evaluationsTable,
  subject,
  systemsTable,
  type TextTable,
  withInterval,
} from "./tables.ts";
import { interval, pValue, signed } from "../_cli/difference.ts";

/** A web page of the report: one file, no script, nothing fetched. */
export function comparePage(report: SystemsReport): string {
  const title = `Comparison of ${report.systems.length} systems`;
  return htmlPage(title, css, [
    `<header><h1>${title}</h1><p class="quiet">${escapeHtml(subject(report))}</p></header>`,
    ...compareSections(report),
  ]);
}

/** What the page says below its head, part by part: the studio shows it too. */
export function compareSections(report: SystemsReport): string[] {
  return [
    tiles(facts(report)),
    section("How to read it", "", list(report.notes)),
    quality(report),
    differences(report),
    costs(report),
    section("Evaluations", "", details("What each of them gave", asHtml(evaluationsTable(report)))),
  ];
}

function bestFirst(report: SystemsReport): SystemResult[] {
  const k = verdictK(report.ks);
  return report.systems.toSorted((a, b) => b.ndcg[k].mean - a.ndcg[k].mean);
}

function facts(report: SystemsReport): [value: string, label: string][] {
  const k = verdictK(report.ks);
  const [best] = bestFirst(report);
  const runs = report.systems.reduce((sum, { evaluations }) => sum + evaluations.length, 0);
  const better = report.systems.filter(({ comparison }) => comparison?.direction === "better").length;
  return [
    [best.ndcg[k].mean.toFixed(4), `best NDCG@${k}, ${best.name}`],
    [`${better} of ${report.systems.length - 1}`, `others are better than ${report.baseline}`],
    [withThousands(report.users), `users of ${report.split}`],
    [String(runs), "evaluations"],
  ];
}

function quality(report: SystemsReport): string {
  const k = verdictK(report.ks);
  const chart = (metric: "hr" | "ndcg", title: string) =>
    intervalChart(
      title,
      bestFirst(report).map(({ name, evaluations, ...system }) => ({
        name,
        value: system[metric][k].mean,
        ci95: system[metric][k].ci95,
        dots: evaluations.length < 2 ? [] : evaluations.map((result) => result[metric][k]),
        text: withInterval(system[metric][k]),
        kind: name === report.baseline ? "base" : "",
      })),
      false,
    );
  return section(
    "Quality",
    "Means over seeds. In the plots, circles are seeds, the mark is their mean and the bar its 95 % interval; a system " +
      "with one seed has no bar. The baseline is grey.",
    asHtml(systemsTable(report), stacked) + chart("ndcg", `NDCG@${k}`) + chart("hr", `HR@${k}`),
  );
}

function differences(report: SystemsReport): string {
  const others = bestFirst(report).filter(({ comparison }) => comparison !== null);
  if (others.length === 0) return "";
  const k = verdictK(report.ks);
  const chart = (metric: "hr" | "ndcg", title: string) =>
    intervalChart(
      title,
      others.map(({ name, comparison }) => row(name, comparison![metric][k])),
      true,
    );
  return section(
    `Differences from ${report.baseline}`,
    "Paired by user, with 95 % intervals. Blue is better and orange worse where interval and p-value (0.05) agree, grey " +
      "shows no difference.",
    chart("ndcg", `NDCG@${k}`) + chart("hr", `HR@${k}`) +
      `<ul class="verdicts">${
        others.map(({ comparison }) => `<li>${escapeHtml(comparison!.verdict)}</li>`).join("")
      }</ul>` +
      details("All cut-offs", asHtml(differencesTable(report))),
  );
}

function row(name: string, found: MetricDifference) {
  return {
    name,
    value: found.difference,
    ci95: found.ci95,
    dots: [],
    text: `${signed(found.difference)} (${interval(found)}), p ${pValue(found)}`,
    kind: direction(found),
  };
}

function costs(report: SystemsReport): string {
  const k = verdictK(report.ks);
  const systems = bestFirst(report);
  const chart = (key: "parameters" | "trainingSeconds" | "usersPerSecond", title: string) => {
    const points = systems.flatMap((system, i): CostPoint[] => {
      const cost = system[key]?.mean ?? 0;
      return cost > 0 ? [{ number: i + 1, name: system.name, cost, quality: system.ndcg[k].mean }] : [];
    });
    if (points.length === 0) return "";
    return costChart(`NDCG@${k} by ${title}`, key === "trainingSeconds" ? "time" : "count", points);
  };
  const charts = [
    chart("parameters", "parameters"),
    chart("trainingSeconds", "training time"),
    chart("usersPerSecond", "users a second"),
  ].join("");
  if (charts === "") return "";
  const names = systems.map(({ name }) => `<li>${escapeHtml(name)}</li>`).join("");
  return section(
    "What it costs",
    "Quality against size, training and speed, on scales of powers of ten. Systems of which one of them is not known are " +
      "missing there.",
    `<div class="plots">${charts}</div><ol class="numbers">${names}</ol>`,
  );
}

function asHtml({ rows: [head, ...rows], left }: TextTable, cell = escapeHtml): string {
  return table(head.map(escapeHtml), rows.map((cells) => cells.map(cell)), left);
}

/** A mean above its interval, so that a table of many columns fits the page. */
function stacked(text: string): string {
  return escapeHtml(text).replace(/ (± .*)/, "<small>$1</small>");
}

function list(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>`;
}
