import type { Statistics } from "../../data/etl/statistics.ts";
import type { DatasetStatistics } from "../../data/statistics.ts";

const SHARES = [
  "density",
  "sameSecond",
  "coldTargets",
  "repeatedTargets",
  "top1PercentTargets",
  "top10PercentTargets",
];

/** A dataset's statistics as rows of a table: what, and its value or its values by split. */
export function statisticsRows(statistics: Statistics | DatasetStatistics): string[][] {
  return Object.entries(statistics).map(([key, value]) => [words(key), cell(key, value)]);
}

function words(key: string): string {
  return key.replace(/[A-Z]|\d+/g, (part) => ` ${part.toLowerCase()}`);
}

function cell(key: string, value: unknown): string {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).map(([part, inner]) => `${words(part)} ${cell(key, inner)}`).join(", ");
  }
  if (typeof value !== "number") return String(value).replace(/T00:00:00.000Z$/, "");
  if (SHARES.includes(key)) return `${(100 * value).toPrecision(3)} %`;
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(2);
}
