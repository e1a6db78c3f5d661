import { percent } from "../../base/round.ts";
import type { SidReportFile } from "../../sid/report/html.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { tableLines } from "../_cli/table.ts";

/** What a terminal shows of a report. */
type ReportInShort = Pick<
  SidReportFile,
  | "items"
  | "distinct"
  | "beforePolicy"
  | "policy"
  | "changed"
  | "unexplained"
  | "zeroRows"
  | "warnings"
  | "levels"
  | "collisionRate"
>;

/** The report in short, for a terminal. */
export function printReport(report: ReportInShort, io: TaskIO): void {
  const { items, distinct, beforePolicy, policy, changed, unexplained, zeroRows, warnings } = report;
  io.log(
    `${items} items, collision rate ${percent(beforePolicy.collisionRate)} as coded; ` +
      `policy ${policy} changed ${changed} of them: ${distinct} different SIDs, ${
        percent(report.collisionRate)
      } collide`,
  );
  const rows = report.levels.map(({ level, used, codebookSize, usage, gini, perplexity }, l) => [
    level,
    `${used} of ${codebookSize}`,
    percent(usage),
    gini.toFixed(2),
    perplexity.toFixed(1),
    unexplained[l] === undefined ? "" : percent(unexplained[l]),
  ]);
  const head = ["level", "codewords used", "usage", "Gini", "perplexity", "variance left"];
  for (const line of tableLines([head, ...rows])) io.log(line);
  for (const [file, rows] of Object.entries(zeroRows)) {
    const listed = rows.slice(0, 5).join(", ") + (rows.length > 5 ? ` and ${rows.length - 5} more` : "");
    io.log(`Note: ${file} has no vector of items ${listed}; what else is known of them decides their codes`);
  }
  for (const warning of warnings) io.log(`Warning: ${warning}`);
}
