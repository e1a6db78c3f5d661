import { escapeHtml } from "../../base/html_page.ts";
import { digits } from "./page.ts";

/** One bar of a chart. */
export interface Bar {
  label: string;
  value: number;
  /** Ours are drawn in the colour of the project. */
  ours: boolean;
}

const LABELS = 250;
const BARS = 420;
const STEP = 30;
const TOP = 48;

/** Horizontal bars as SVG, readable on light and dark pages. */
export function barChart(title: string, note: string, bars: readonly Bar[]): string {
  const longest = Math.max(...bars.map(({ value }) => value));
  const width = LABELS + BARS + 80;
  const height = TOP + bars.length * STEP + 34;
  const lines = bars.flatMap(({ label, value, ours }, i) => {
    const y = TOP + i * STEP;
    const length = (BARS * value / longest).toFixed(1);
    return [
      `<text x="${LABELS - 10}" y="${y + 15}" text-anchor="end"${ours ? ' class="ours"' : ""}>${
        escapeHtml(label)
      }</text>`,
      `<rect x="${LABELS}" y="${y}" width="${length}" height="21" rx="3" fill="${
        ours ? "#1f77b4" : "#9aa5b1"
      }"/>`,
      `<text x="${(LABELS + Number(length) + 8).toFixed(1)}" y="${y + 15}"${ours ? ' class="ours"' : ""}>${
        digits(value)
      }</text>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${
      escapeHtml(title)
    }">`,
    "<style>text { font: 14px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px } .ours { font-weight: 600 } .note { font-size: 12px; fill: #57606a }</style>",
    `<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>`,
    `<text x="20" y="29" class="title">${escapeHtml(title)}</text>`,
    ...lines,
    `<text x="20" y="${height - 13}" class="note">${escapeHtml(note)}</text>`,
    "</svg>",
  ].join("\n") + "\n";
}
