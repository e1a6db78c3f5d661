import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import { dom, type PageElement, type PageEvent } from "../page/dom.ts";
import { CurveChart, plainNumber, runColour, type RunCurve } from "./drawings/curve_chart.ts";
import type { LogTail, StudioRun, StudioSettings } from "./messages.ts";
import { RunLog } from "./run_log.ts";
import type { StudioServer } from "./server.ts";
import { timeText } from "./time_text.ts";

const EVERY_MS = 2000;

/** Names of metrics for people; those that are not here follow under their own. */
const MAIN: Readonly<Record<string, string>> = {
  "loss": "Loss",
  "valid.ndcg10": "Valid NDCG@10",
  "valid.hr10": "Valid HR@10",
  "valid.loss": "Valid loss",
  "reward": "Reward",
  "learningRate": "Learning rate",
  "tokensPerSecond": "Tokens a second",
  "stepsPerSecond": "Steps a second",
};

interface RunRow {
  isShown: boolean;
  /** As `HEAD`. */
  facts: string[];
  /** Of the training that is done, 0 to 1. */
  share: number;
}

const HEAD = [
  "step",
  "epoch",
  "loss",
  "best valid NDCG@10",
  "learning rate",
  "reward",
  "tokens/s",
  "time",
  "left",
];

/** Runs side by side: where each of them is, and its curves, which grow while it trains. */
export function trainingView(
  server: StudioServer,
  runs: readonly StudioRun[],
  settings: StudioSettings,
): { view: ArrowTemplate; start(): void } {
  const logs = runs.map(() => new RunLog());
  const charts = new Map<string, { chart: CurveChart; figure: PageElement }>();
  const state = reactive({
    rows: runs.map((): RunRow => ({ isShown: true, facts: HEAD.map(() => "–"), share: 0 })),
    note: "Reading the logs…",
  });

  async function read(): Promise<void> {
    try {
      const news = await Promise.all(
        logs.map(async (log, run) =>
          log.add(await server.get<LogTail>("log", { run, version: log.version, after: log.end }))
        ),
      );
      if (news.some(Boolean)) draw();
      tell();
    } catch (error) {
      state.note = (error as Error).message;
    }
    setTimeout(read, EVERY_MS);
  }

  function tell(): void {
    const live = logs.filter(({ isLive }) => isLive).length;
    state.note = live === 0
      ? "No run writes now. New lines show by themselves."
      : `${live} of ${logs.length} write now.`;
    logs.forEach((log, i) => Object.assign(state.rows[i], factsOf(log, settings[i])));
  }

  function draw(): void {
    const byMetric = new Map<string, RunCurve[]>();
    for (const { id, name } of runs) {
      if (!state.rows[id].isShown) continue;
      for (const [metric, curve] of logs[id].curves()) {
        byMetric.set(metric, [...byMetric.get(metric) ?? [], { ...curve, run: id, name }]);
      }
    }
    for (const metric of [...charts.keys()]) if (!byMetric.has(metric)) remove(metric);
    for (const metric of inOrder([...byMetric.keys()])) chartOf(metric).show(byMetric.get(metric)!);
  }

  function remove(metric: string): void {
    const { chart, figure } = charts.get(metric)!;
    chart.destroy();
    figure.remove();
    charts.delete(metric);
  }

  function chartOf(metric: string): CurveChart {
    const known = charts.get(metric);
    if (known) return known.chart;
    const { document } = dom;
    const figure = document.createElement("figure"), title = document.createElement("figcaption");
    const place = document.createElement("div");
    title.textContent = nameOf(metric);
    figure.append(title, place);
    document.getElementById(isMain(metric) ? "curves" : "more-curves").append(figure);
    const chart = new CurveChart(metric, place);
    charts.set(metric, { chart, figure });
    return chart;
  }

  const rowOf = ({ id, name, task }: StudioRun) => {
    const row = state.rows[id];
    const toggle = ({ target }: PageEvent) => {
      row.isShown = target.checked;
      draw();
    };
    return html`
      <tr>
        <td class="text"><label><input type="checkbox" checked @change="${toggle}">${swatch(
          id,
        )}${name}</label></td>
        <td class="text">${task}</td>
        ${HEAD.map((_, i) => html`<td>${() => row.facts[i]}</td>`)}
      </tr>
      <tr class="bar">
        <td colspan="${String(2 + HEAD.length)}">
          <progress max="1" value="${() => String(row.share)}" aria-label="${`done of ${name}`}"></progress>
        </td>
      </tr>
    `;
  };
  const fit = () => charts.forEach(({ chart }) => chart.fit());
  const view = html`
    <section>
      <h2>Runs</h2>
      <p class="quiet" role="status">${() => state.note}</p>
      <div class="scroll">
        <table id="runs">
          <thead>
            <tr>
              <th class="text">run</th>
              <th class="text">trained by</th>
              ${HEAD.map((name) => html`<th>${name}</th>`)}
            </tr>
          </thead>
          <tbody>${runs.map(rowOf)}</tbody>
        </table>
      </div>
    </section>
    <section>
      <h2>Curves</h2>
      <div id="curves" class="charts"></div>
      <details @toggle="${fit}">
        <summary>More</summary>
        <div id="more-curves" class="charts"></div>
      </details>
    </section>
  `;
  return {
    view,
    start() {
      read();
      addEventListener("resize", fit);
      dom.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        for (const metric of [...charts.keys()]) remove(metric);
        draw();
      });
    },
  };
}

/** The colour of a run. */
function swatch(run: number): ArrowTemplate {
  return html`
    <svg class="dot" viewBox="0 0 10 10" aria-hidden="true">
      <circle cx="5" cy="5" r="5" fill="${runColour(run)}"></circle>
    </svg>
  `;
}

const isMain = (metric: string) => metric in MAIN || /^rewards\..*\.mean$/.test(metric);

const nameOf = (metric: string) => MAIN[metric] ?? metric.replace(/^rewards\.(.*)\.mean$/, "Reward: $1");

/** Main metrics first, in their order. */
function inOrder(metrics: readonly string[]): string[] {
  const place = (metric: string) => {
    const at = Object.keys(MAIN).indexOf(metric);
    return at >= 0 ? at : isMain(metric) ? 100 : 200;
  };
  return metrics.toSorted((a, b) => place(a) - place(b));
}

function factsOf(log: RunLog, settings: Readonly<Record<string, unknown>>): Pick<RunRow, "facts" | "share"> {
  const curves = log.curves();
  const { step, epoch, share, seconds, left } = log.progress(settings);
  const last = (metric: string) => {
    const value = curves.get(metric)?.values.at(-1);
    return value === undefined ? "–" : plainNumber(value);
  };
  const ndcg = curves.get("valid.ndcg10")?.values;
  const isDone = share !== undefined && share >= 1;
  return {
    share: share ?? 0,
    facts: [
      String(step),
      epoch === undefined ? "–" : plainNumber(epoch),
      last("loss"),
      ndcg ? Math.max(...ndcg).toFixed(4) : "–",
      last("learningRate"),
      last("reward"),
      last("tokensPerSecond"),
      seconds === undefined ? "–" : timeText(seconds),
      isDone ? "done" : left === undefined ? "–" : log.isLive ? timeText(left) : "stopped",
    ],
  };
}
