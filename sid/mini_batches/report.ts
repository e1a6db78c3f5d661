import { reportLevel, type SidReport } from "../statistics.ts";
import { formatToken } from "../tokens.ts";
import { sortedByCodes } from "./resolve.ts";
import type { SidTable } from "./resolve.ts";

/**
 * What `reportSids()` says of an index, of SIDs in one array. It holds 8 bytes an item.
 * @throws {UserError} if a level uses more codewords than its codebook has.
 */
export function reportTable({ data, width }: SidTable, codebookSizes: readonly number[]): SidReport {
  const rows = data.length / width;
  const lengths: Record<string, number> = {};
  const counts = Array.from({ length: width }, (): number[] => []);
  for (let row = 0; row < rows; row++) {
    let length = 0;
    for (; length < width && data[row * width + length] >= 0; length++) {
      const code = data[row * width + length];
      counts[length][code] = (counts[length][code] ?? 0) + 1;
    }
    lengths[length] = (lengths[length] ?? 0) + 1;
  }
  const sorted = sortedByCodes(data, width, width);
  const equal = (a: number, b: number) => {
    for (let at = 0; at < width; at++) if (data[a * width + at] !== data[b * width + at]) return false;
    return true;
  };
  let collisionGroups = 0, collidingItems = 0, largestGroup = 1;
  for (let start = 0; start < rows;) {
    let end = start + 1;
    while (end < rows && equal(sorted[start], sorted[end])) end++;
    if (end - start > 1) {
      collisionGroups++;
      collidingItems += end - start;
      largestGroup = Math.max(largestGroup, end - start);
    }
    start = end;
  }
  const distinct = rows - collidingItems + collisionGroups;
  return {
    items: rows,
    distinct,
    collisionRate: (rows - distinct) / rows,
    collisionGroups,
    collidingItems,
    largestGroup,
    lengths,
    levels: counts.filter((level) => level.length > 0).map((level, at) =>
      reportLevel(
        formatToken({ level: at, codeword: 0 })[1],
        level.filter((count) => count > 0),
        codebookSizes[at],
      )
    ),
  };
}
