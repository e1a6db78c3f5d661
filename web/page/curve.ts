import { type ArrowTemplate, svg } from "@arrow-js/core";

const WIDTH = 560;
const HEIGHT = 180;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;

/** A point of a curve. */
export interface CurvePoint {
  x: number;
  y: number;
}

/** A curve of at least two points over x from 0 to `end`, with its scale; `label` says what it shows. */
export function curve(points: readonly CurvePoint[], end: number, label: string): ArrowTemplate {
  const values = points.map(({ y }) => y);
  const low = Math.min(...values), high = Math.max(...values);
  const spread = high - low || 1;
  const x = (value: number) => LEFT + value / end * (WIDTH - LEFT - 8);
  const y = (value: number) => TOP + (high - value) / spread * (HEIGHT - TOP - BOTTOM);
  const line = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
  const last = points[points.length - 1];
  const bottom = HEIGHT - BOTTOM;
  return svg`
    <svg viewBox="${`0 0 ${WIDTH} ${HEIGHT}`}" role="img" aria-label="${label}" class="curve">
      <line class="axis" x1="${String(LEFT)}" x2="${String(WIDTH - 8)}" y1="${String(bottom)}" y2="${String(
        bottom,
      )}" />
      <text x="${String(LEFT - 6)}" y="${String(TOP + 8)}" text-anchor="end">${high.toFixed(2)}</text>
      <text x="${String(LEFT - 6)}" y="${String(bottom)}" text-anchor="end">${low.toFixed(2)}</text>
      <text x="${String(LEFT)}" y="${String(HEIGHT - 6)}">0</text>
      <text x="${String(WIDTH - 8)}" y="${String(HEIGHT - 6)}" text-anchor="end">${`step ${end}`}</text>
      <polyline points="${line}" />
      <circle cx="${x(last.x).toFixed(1)}" cy="${y(last.y).toFixed(1)}" r="3" />
    </svg>
  `;
}
