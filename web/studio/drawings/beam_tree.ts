import { details, escapeHtml, table } from "../../../base/html_page.ts";
import { plainSid } from "../../../sid/report/html_charts.ts";
import type { TriedRun } from "../messages.ts";

const LEFT = 8;
const COLUMN = 150;
const ROW = 22;
const TITLE = 44;
/** Width of a character, about. */
const CHARACTER = 6.5;

interface TreeNode {
  prefix: readonly string[];
  /** Text beside it. */
  label: string;
  x: number;
  y: number;
  isListed: boolean;
}

/** A probability of a log-probability, in two digits. */
export function probability(score: number): string {
  return `${Number((100 * Math.exp(score)).toPrecision(2))} %`;
}

/**
 * The search behind a list as a tree from left to right: after each code the beginnings that were kept, best first, then
 * the items of the list. HTML: a drawing, and the same as a table.
 */
export function beamTree({ kept = [], items }: Pick<TriedRun, "kept" | "items">): string {
  const columns = kept.map((level, depth): TreeNode[] =>
    level.map(({ prefix, score, listed }, i) => ({
      prefix,
      label: `${plainSid(prefix[depth])} ${probability(score)}`,
      x: LEFT + depth * COLUMN,
      y: ROW * (i + 1),
      isListed: listed > 0,
    }))
  );
  const found = items.map(({ sid = "", title, score }, i): TreeNode => ({
    prefix: sid.match(/<[^<>]*>/g) ?? [],
    label: `${probability(score)} ${title.length > TITLE ? `${title.slice(0, TITLE)}…` : title}`,
    x: LEFT + kept.length * COLUMN,
    y: ROW * (i + 1),
    isListed: true,
  }));
  const all = [...columns, found];
  const byPrefix = new Map(columns.flat().map((node) => [node.prefix.join(""), node]));
  // SIDs may end early, so the longest beginning that was kept is sought.
  const parentOf = ({ prefix }: TreeNode): TreeNode | undefined =>
    prefix.map((_, i) => byPrefix.get(prefix.slice(0, prefix.length - 1 - i).join(""))).find(Boolean);
  const links = all.flat().flatMap((node) => {
    const parent = parentOf(node);
    if (!parent) return [];
    const from = parent.x + CHARACTER * parent.label.length + 6, middle = (from + node.x) / 2 - 2;
    return [
      `<path${node.isListed ? ' class="listed"' : ""} d="M${from} ${parent.y - 4}C${middle} ${
        parent.y - 4
      } ` +
      `${middle} ${node.y - 4} ${node.x - 4} ${node.y - 4}"/>`,
    ];
  });
  const texts = all.flat().map(({ label, x, y, isListed }) =>
    `<g${isListed ? "" : ' class="lost"'}><text x="${x}" y="${y}">${escapeHtml(label)}</text></g>`
  );
  const width = LEFT + kept.length * COLUMN + 8 * TITLE,
    height = ROW * (Math.max(...all.map(({ length }) => length)) + 1);
  const rows = kept.flatMap((level, depth) =>
    level.map(({ prefix, score, listed }) => [
      String(depth + 1),
      `<code>${escapeHtml(plainSid(prefix.join("")))}</code>`,
      probability(score),
      String(listed),
    ])
  );
  return `<div class="scroll beams" tabindex="0" role="group" aria-label="The search, code by code"><svg width="${width}" ` +
    `height="${height}" aria-hidden="true">${links.join("")}${texts.join("")}</svg></div>` +
    details(
      "The same as a table",
      table(["codes", "kept", "probability", "items of the list below"], rows, 2),
    );
}
