import { escapeHtml } from "../../base/html_page.ts";
import type { Interval } from "../../eval/metrics.ts";
import { short } from "../_cli/format.ts";
import { duration } from "../_cli/progress.ts";

/** A row of {@link intervalChart}. */
export interface IntervalRow {
  name: string;
  /** Value of the middle mark. */
  value: number;
  /** Null: no bar. */
  ci95: Interval | null;
  /** Values of single seeds. */
  dots: number[];
  /** Figures beside the row. */
  text: string;
  /** Class of the row: `better`, `worse`, `none` or `base`. */
  kind: string;
}

/** Height of a row, as the style has it. */
const ROW = 32;

/** Values with their intervals, a row each on one scale; `zero` keeps 0 in sight and marks it. */
export function intervalChart(title: string, rows: readonly IntervalRow[], zero: boolean): string {
  const values = rows.flatMap(({ value, ci95, dots }) => [value, ...ci95 ?? [], ...dots]);
  if (zero) values.push(0);
  const scale = niceScale(Math.min(...values), Math.max(...values));
  const at = (value: number) => `${(100 * (value - scale.low) / (scale.high - scale.low)).toFixed(2)}%`;
  // SVG and not styles: a page with a strict policy for styles shows it too.
  const upright = (kind: string, value: number, from: number, to: number) =>
    `<line class="${kind}" x1="${at(value)}" x2="${at(value)}" y1="${from}" y2="${to}"/>`;
  const grid = scale.ticks.map((tick) => upright("axis", tick, 0, ROW)).join("");
  const lines = rows.map(({ name, value, ci95, dots, text, kind }) => {
    const bar = ci95 === null
      ? ""
      : `<line class="bar" x1="${at(ci95[0])}" x2="${at(ci95[1])}" y1="${ROW / 2}" y2="${ROW / 2}"/>`;
    return `<span class="name">${
      escapeHtml(name)
    }</span><svg class="row ${kind}" aria-hidden="true">${grid}` +
      `${zero ? upright("zero", 0, 0, ROW) : ""}${bar}` +
      dots.map((dot) => `<circle cx="${at(dot)}" cy="${ROW / 2}" r="4"/>`).join("") +
      `${upright("middle", value, 6, ROW - 6)}</svg><span class="figure">${escapeHtml(text)}</span>`;
  });
  const ticks = scale.ticks.map((tick) =>
    `<text x="${at(tick)}" y="14">${tick.toFixed(scale.digits)}</text>`
  );
  return `<figure class="intervals"><figcaption>${escapeHtml(title)}</figcaption><div class="grid">${
    lines.join("")
  }<span></span><svg class="ticks" aria-hidden="true">${ticks.join("")}</svg><span></span></div></figure>`;
}

/** About four round numbers that enclose both ends; `digits` are those that tell them apart. */
export function niceScale(low: number, high: number) {
  const range = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(range / 3));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => range / step <= 4)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { low: ticks[0], high: ticks.at(-1)!, ticks, digits };
}

/** A point of {@link costChart}; `number` is what the legend calls it by. */
export interface CostPoint {
  number: number;
  name: string;
  /** Above 0. */
  cost: number;
  quality: number;
}

const PLOT = { width: 320, height: 230, left: 46, right: 14, top: 12, bottom: 24, radius: 9 };

/** Quality against a cost on a scale of powers of ten. */
export function costChart(
  title: string,
  kind: "count" | "time",
  points: readonly CostPoint[],
): string {
  const { width, height, left, right, top, bottom, radius } = PLOT;
  const logs = points.map(({ cost }) => Math.log10(cost));
  // Not narrower than a factor of ten, so that equal costs look equal.
  const middle = (Math.min(...logs) + Math.max(...logs)) / 2;
  const half = Math.max(0.5, (Math.max(...logs) - Math.min(...logs)) / 2);
  const inner = { from: left + radius + 4, to: width - right - radius - 4 };
  const xOf = (log: number) => inner.from + (inner.to - inner.from) * (log - middle + half) / (2 * half);
  const qualities = points.map((point) => point.quality);
  const scale = niceScale(Math.min(...qualities), Math.max(...qualities));
  const bottomY = height - bottom;
  const yOf = (value: number) => bottomY - (bottomY - top) * (value - scale.low) / (scale.high - scale.low);
  const across = scale.ticks.map((tick) => {
    const y = yOf(tick).toFixed(1);
    return `<line class="axis" x1="${left}" y1="${y}" x2="${width - right}" y2="${y}"/>` +
      `<text x="${left - 6}" y="${(Number(y) + 4).toFixed(1)}" text-anchor="end">${
        tick.toFixed(scale.digits)
      }</text>`;
  });
  const [low, high] = [middle - half, middle + half];
  const down = (kind === "time" ? timeTicks(low, high) : countTicks(low, high)).map(({ cost, label }) => {
    const x = xOf(Math.log10(cost)).toFixed(1);
    return `<line class="axis" x1="${x}" y1="${bottomY}" x2="${x}" y2="${bottomY + 5}"/>` +
      `<text x="${x}" y="${bottomY + 18}" text-anchor="middle">${label}</text>`;
  });
  const marks = points.map(({ number, name, cost, quality: value }) => {
    const told = kind === "time" ? duration(cost) : short(cost);
    const [x, y] = [xOf(Math.log10(cost)).toFixed(1), yOf(value).toFixed(1)];
    return `<g class="mark"><title>${escapeHtml(`${name}: ${told}, ${value.toFixed(4)}`)}</title>` +
      `<circle cx="${x}" cy="${y}" r="${radius}"/>` +
      `<text x="${x}" y="${(Number(y) + 4).toFixed(1)}" text-anchor="middle">${number}</text></g>`;
  });
  return `<figure><figcaption>${
    escapeHtml(title)
  }</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" ` +
    `aria-label="${escapeHtml(title)}">${across.join("")}${down.join("")}${marks.join("")}</svg></figure>`;
}

/** A place on a scale of costs. */
interface CostTick {
  cost: number;
  label: string;
}

const isWithin = (low: number, high: number) => (cost: number) =>
  Math.log10(cost) >= low - 1e-9 && Math.log10(cost) <= high + 1e-9;

/** Powers of ten in a range of logarithms; with fewer than two of them, also 2 and 5 times those. */
export function countTicks(low: number, high: number): CostTick[] {
  const exponents = Array.from(
    { length: Math.ceil(high) - Math.floor(low) + 1 },
    (_, i) => Math.floor(low) + i,
  );
  const times = (factors: readonly number[]) =>
    exponents.flatMap((exponent) => factors.map((factor) => factor * 10 ** exponent)).filter(
      isWithin(low, high),
    );
  const powers = times([1]);
  const found = powers.length < 2 ? times([1, 2, 5]) : thinned(powers);
  return found.map((cost) => ({ cost, label: short(cost) }));
}

const UNITS: readonly [seconds: number, name: string, counts: readonly number[]][] = [
  [1, "s", [1, 2, 5, 10, 20, 30]],
  [60, "min", [1, 2, 5, 10, 20, 30]],
  [3600, "h", [1, 2, 5, 10, 24, 50, 100, 200, 500]],
];

/** Round numbers of seconds, minutes and hours in a range of logarithms of seconds. */
export function timeTicks(low: number, high: number): CostTick[] {
  const all = UNITS.flatMap(([seconds, name, counts]) =>
    counts.map((count) => ({ cost: count * seconds, label: `${count} ${name}` }))
  );
  return thinned(all.filter(({ cost }) => isWithin(low, high)(cost)));
}

/** Five at most, so that labels have room. */
function thinned<T>(ticks: readonly T[]): T[] {
  const every = Math.ceil(ticks.length / 5);
  return ticks.filter((_, i) => i % every === 0);
}
