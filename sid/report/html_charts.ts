import { escapeHtml, withThousands } from "../../base/html_page.ts";
import { percent } from "../../base/round.ts";
import type { CatalogueReport } from "./catalogue.ts";
import type { PrefixPurity } from "./purity.ts";

/** SID or token for people: `<a_1><b_2>` as `a_1 b_2`. */
export function plainSid(sid: string): string {
  return sid.replaceAll("><", " ").replace(/[<>]/g, "");
}

/** Hue in degrees of the `rank`-th first code: steps of the golden angle keep neighbours in rank apart. */
export function hueOf(rank: number): number {
  return Math.round(rank * 137.508) % 360;
}

/** Colour of the `rank`-th first code, as light as the page wants. An attribute and not a style: strict policies refuse these. */
export function codeColour(rank: number): string {
  return `oklch(var(--lightness) var(--chroma) ${hueOf(rank)})`;
}

const CURVE = { width: 320, height: 120, left: 34, bottom: 18, top: 6 };

/** Items by codeword of one level, most first, beside the height that even use would give. `counts` are those used. */
export function usageCurve(level: string, counts: readonly number[], codebookSize: number): string {
  const { width, height, left, bottom, top } = CURVE;
  const most = counts[0];
  const x = (rank: number) => (left + (width - left - 1) * rank / codebookSize).toFixed(1);
  const y = (count: number) => (height - bottom - (height - bottom - top) * count / most).toFixed(1);
  const steps = counts.map((count, rank) => `H${x(rank)}V${y(count)}H${x(rank + 1)}`).join("");
  const outline = `M${x(0)},${y(0)}${steps}V${y(0)}`;
  const even = counts.reduce((sum, count) => sum + count, 0) / codebookSize;
  return `<figure><figcaption>Level ${level}: items a codeword, most used first</figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Items a codeword of level ${level}: from ${most} ` +
    `down to ${counts.length < codebookSize ? 0 : counts.at(-1)}">` +
    `<path class="area" d="${outline}Z"/><path class="curve" d="${outline}H${x(codebookSize)}"/>` +
    `<line class="axis" x1="${left}" y1="${y(0)}" x2="${width}" y2="${y(0)}"/>` +
    `<line class="even" x1="${left}" y1="${y(even)}" x2="${width}" y2="${y(even)}"/>` +
    `<text x="${left - 6}" y="${top + 9}" text-anchor="end">${most}</text>` +
    `<text x="${left - 6}" y="${height - bottom}" text-anchor="end">0</text>` +
    `<text x="${left}" y="${height - 3}">1</text>` +
    `<text x="${width - 1}" y="${height - 3}" text-anchor="end">${codebookSize}</text>` +
    `<text x="${width - 1}" y="${Math.min(Number(y(even)) - 5, height - bottom - 5)}" text-anchor="end">` +
    `even use: ${even.toFixed(1)}</text></svg></figure>`;
}

/** Purity by prefix length as bars from 0 to 100 %, with a mark where chance would be. */
export function purityBars(prefixes: readonly PrefixPurity[]): string {
  const rows = prefixes.map(({ codes, purity, chance, groups, items }) => {
    const width = (share: number) => `${(100 * share).toFixed(1)}%`;
    const label = `${withThousands(items)} items in ${withThousands(groups)} groups; by chance ${
      percent(chance)
    }`;
    return `<span>first ${
      codes === 1 ? "code" : `${codes} codes`
    }</span><div class="track" title="${label}">` +
      `<i style="width:${width(purity)}"></i><b style="left:${width(chance)}"></b></div>` +
      `<strong>${percent(purity)}</strong>`;
  });
  return `<div class="bars">${rows.join("")}</div>`;
}

const MAP = { width: 1000, height: 640, margin: 16 };
/** Clusters named on the map, if there is room; the first ones on small screens too. */
const LABELS = 24;
const MAJOR_LABELS = 7;
/** Codes with colours of their own; smaller ones are drawn faintly below them. */
export const CODES_LISTED = 24;
const MAJOR_SIZE = 26;
const MINOR_SIZE = 12;

/** Places of the items on the map, from 0 to 1 from the left and from the top. */
export function mapPlaces({ x, y }: CatalogueReport["map"]): { left: number; top: number }[] {
  const place = scaler(x, y);
  return x.map((_, i) => {
    const [across, down] = place(x[i], y[i]);
    return { left: across / MAP.width, top: down / MAP.height };
  });
}

/** Items in the plane, coloured by first code, the largest codes named. `marked` is an item with a ring around it. */
export function itemMap(
  { map, clusters }: Pick<CatalogueReport, "map" | "clusters">,
  marked?: number,
): string {
  const place = scaler(map.x, map.y);
  const ring = (at: number): string => {
    if (at < 0) return "";
    const [x, y] = place(map.x[at], map.y[at]);
    return `<circle class="marked" cx="${x.toFixed(0)}" cy="${y.toFixed(0)}" r="12"/>`;
  };
  const points = new Map<string, [number, number][]>();
  map.items.forEach((_, i) => {
    const group = points.get(map.tokens[i]);
    const point = place(map.x[i], map.y[i]);
    if (group === undefined) points.set(map.tokens[i], [point]);
    else group.push(point);
  });
  const paths = clusters.map(({ token, items, words }, rank) => {
    const dots = (points.get(token) ?? []).map(([x, y]) => `M${x.toFixed(0)} ${y.toFixed(0)}h0`).join("");
    const name = escapeHtml(`${plainSid(token)}: ${items} items ${words.join(", ")}`.trim());
    const kind = rank < CODES_LISTED ? "" : ' class="faint"';
    return dots && `<path${kind} stroke="${codeColour(rank)}" d="${dots}"><title>${name}</title></path>`;
  });
  return `<svg class="map" viewBox="0 0 ${MAP.width} ${MAP.height}" role="img" ` +
    `aria-label="Items in two dimensions, coloured by first code"><g class="dots">${
      paths.reverse().join("")
    }</g>` +
    `${mapLabels(clusters, points)}${ring(map.items.indexOf(marked ?? -1))}</svg>`;
}

/** One scale for both axes would waste the page; each fills its side. */
function scaler(xs: readonly number[], ys: readonly number[]): (x: number, y: number) => [number, number] {
  const side = (values: readonly number[], length: number) => {
    const low = values.reduce((a, b) => Math.min(a, b), Infinity);
    const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const range = high - low || 1;
    return (value: number) => MAP.margin + (length - 2 * MAP.margin) * (value - low) / range;
  };
  const across = side(xs, MAP.width);
  const up = side(ys, MAP.height);
  return (x, y) => [across(x), MAP.height - up(y)];
}

/** Names at the middles of the largest clusters, without those that would cover others. */
function mapLabels(
  clusters: CatalogueReport["clusters"],
  points: ReadonlyMap<string, readonly [number, number][]>,
): string {
  const taken: { left: number; right: number; top: number; bottom: number }[] = [];
  const labels: string[] = [];
  let major = 0;
  for (const { token, words } of clusters) {
    const dots = points.get(token);
    if (labels.length === LABELS || dots === undefined) continue;
    const text = words[0] ?? plainSid(token);
    const isMajor = major < MAJOR_LABELS;
    const size = isMajor ? MAJOR_SIZE : MINOR_SIZE;
    const half = text.length * size * 0.3;
    const x = Math.min(Math.max(median(dots.map(([x]) => x)), half + 4), MAP.width - half - 4);
    const y = Math.min(Math.max(median(dots.map(([, y]) => y)), size + 2), MAP.height - 6);
    const box = { left: x - half, right: x + half, top: y - size, bottom: y + size * 0.3 };
    const covers = taken.some((other) =>
      box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom
    );
    if (covers) continue;
    taken.push(box);
    if (isMajor) major++;
    const kind = isMajor ? "" : ' class="minor"';
    labels.push(`<text${kind} x="${x.toFixed(0)}" y="${y.toFixed(0)}">${escapeHtml(text)}</text>`);
  }
  return labels.join("");
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
