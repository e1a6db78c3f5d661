import uPlot from "uplot";
import { hueOf } from "../../../sid/report/html_charts.ts";
import { dom, type PageElement } from "../../page/dom.ts";
import type { Curve } from "../run_log.ts";

/** A curve of a run. */
export interface RunCurve extends Curve {
  /** Number of the run, which has its colour. */
  run: number;
  name: string;
}

const HEIGHT = 220;
const NARROWEST = 200;

const cssValue = (name: string) =>
  dom.getComputedStyle(dom.document.documentElement).getPropertyValue(name).trim();

/** Colour of a run; `value` gives what a variable of the style stands for, where the colour is not in the page's own. */
export function runColour(run: number, value = (name: string) => `var(${name})`): string {
  return `oklch(${value("--lightness")} ${value("--chroma")} ${(hueOf(run) + 250) % 360})`;
}

/** One metric of several runs by steps. */
export class CurveChart {
  readonly #place: PageElement;
  #chart: uPlot | undefined;
  #shown = "";

  constructor(readonly metric: string, place: PageElement) {
    this.#place = place;
  }

  /** Shows these curves; without a change of the runs the chart stays, with the pointer on it. */
  show(curves: readonly RunCurve[]): void {
    const data = joined(curves);
    const shown = JSON.stringify(curves.map(({ run, name }) => [run, name]));
    if (this.#chart && shown === this.#shown) {
      this.#chart.setData(data);
      return;
    }
    this.#shown = shown;
    this.#chart?.destroy();
    this.#chart = new uPlot(this.#options(curves), data, this.#place as never);
  }

  /** Fits the chart to its place, and to the colours of the page. */
  fit(): void {
    this.#chart?.setSize({ width: this.#width, height: HEIGHT });
  }

  /** Takes the chart out of the page. */
  destroy(): void {
    this.#chart?.destroy();
  }

  get #width(): number {
    return Math.max(NARROWEST, this.#place.clientWidth);
  }

  #options(curves: readonly RunCurve[]): uPlot.Options {
    const axis: uPlot.Axis = {
      stroke: () => cssValue("--quiet"),
      grid: { stroke: () => cssValue("--line"), width: 1 },
      ticks: { stroke: () => cssValue("--line"), width: 1 },
    };
    return {
      width: this.#width,
      height: HEIGHT,
      scales: { x: { time: false } },
      axes: [axis, { ...axis, size: 62, values: (_, splits) => splits.map(plainNumber) }],
      series: [
        { label: "step" },
        ...curves.map(({ run, name, steps }) => ({
          label: name,
          stroke: () => runColour(run, cssValue),
          width: 2,
          spanGaps: true,
          points: { show: steps.length < 3 },
          value: (_: uPlot, value: number | null) => value === null ? "–" : plainNumber(value),
        })),
      ],
    };
  }
}

/** A number in few characters. */
export function plainNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  return size >= 1e5 || size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(4)));
}

/** Columns of all curves by the union of their steps. */
function joined(curves: readonly RunCurve[]): uPlot.AlignedData {
  const steps = [...new Set(curves.flatMap(({ steps }) => steps))].sort((a, b) => a - b);
  const rows = new Map(steps.map((step, row) => [step, row]));
  const columns = curves.map((curve) => {
    const column: (number | null)[] = Array(steps.length).fill(null);
    curve.steps.forEach((step, i) => column[rows.get(step)!] = curve.values[i]);
    return column;
  });
  return [steps, ...columns];
}
