import { escapeHtml, withThousands } from "../../../base/html_page.ts";
import { codeColour, plainSid } from "../../../sid/report/html_charts.ts";
import type { TreeShape } from "../messages.ts";

const WIDTH = 1000;
const ROW = 30;
/** Under each row stands what it is. */
const CAPTION = 18;
/** Width of a character, about. */
const CHARACTER = 7;

/**
 * The whole tree of SIDs: a row a code, as wide as the items that have it, each beginning below the shorter one. Grey are
 * those too narrow to be seen. `marked` is the beginning with a frame around it. HTML.
 */
export function treeDrawing(
  { count, widths, reached, levels }: TreeShape,
  marked: readonly string[],
): string {
  const ranks = new Map(levels[0]?.map(({ prefix }, rank) => [prefix[0], rank]));
  const at = (items: number) => Number((WIDTH * items / count).toFixed(2));
  const rows = widths.map((width, depth) => {
    const top = depth * (ROW + CAPTION);
    const bands = (levels[depth] ?? []).map(({ prefix, start, items }) => {
      const name = `${plainSid(prefix.join(""))}: ${items} items`;
      const label = plainSid(prefix[depth]);
      const text = at(items) > CHARACTER * (label.length + 1)
        ? `<text x="${at(start) + 4}" y="${top + ROW - 10}">${escapeHtml(label)}</text>`
        : "";
      return `<rect x="${at(start)}" y="${top}" width="${at(items)}" ` +
        `height="${ROW}" fill="${codeColour(ranks.get(prefix[0])!)}"><title>${
          escapeHtml(name)
        }</title></rect>${text}`;
    });
    return `<rect class="rest" x="0" y="${top}" width="${at(reached[depth])}" height="${ROW}"/>${
      bands.join("")
    }` +
      `<text class="caption" x="0" y="${top + ROW + 13}">${
        escapeHtml(caption(depth, width, reached[depth], count))
      }</text>`;
  });
  const found = levels[marked.length - 1]?.find(({ prefix }) => prefix.join("") === marked.join(""));
  // After the others, which would cover half of the frame.
  const frame = found
    ? `<rect class="marked" x="${at(found.start)}" y="${(marked.length - 1) * (ROW + CAPTION)}" ` +
      `width="${at(found.items)}" height="${ROW}"/>`
    : "";
  return `<svg class="tree" viewBox="0 0 ${WIDTH} ${
    widths.length * (ROW + CAPTION)
  }" role="img" aria-label="${
    escapeHtml(`The tree of semantic IDs: ${widths.map((width) => `${width} codes`).join(", then ")}`)
  }">${rows.join("")}${frame}</svg>`;
}

/** The beginning that is drawn at a place, from 0 to 1 from the left and from the top of the drawing. */
export function bandAt(
  { count, widths, levels }: TreeShape,
  left: number,
  top: number,
): string[] | undefined {
  const depth = Math.floor(top * widths.length);
  const item = left * count;
  return levels[depth]?.find(({ start, items }) => start <= item && item < start + items)?.prefix;
}

function caption(depth: number, width: number, reached: number, count: number): string {
  const codes = depth === 0 ? "first code" : `first ${depth + 1} codes`;
  const whole = reached < count ? ` of the ${withThousands(reached)} items that have so many` : "";
  return `${codes}: ${withThousands(width)} beginnings${whole}, ${
    (reached / Math.max(1, width)).toFixed(1)
  } items each`;
}
