import type { SplitKind } from "../corpus.ts";
import { UserError } from "../../base/user_error.ts";
import { rawSource } from "./by_name.ts";
import { ColumnFlags, type EtlConfig } from "./config.ts";
import type { ItemFiles, TextRules } from "./items.ts";
import type { Selection } from "./select_log.ts";
import type { RawSource, ReviewTable, SourceOptions } from "./source.ts";
import type { TieRule } from "./ties.ts";
import { parseDate, type TimeWindow } from "./time_window.ts";

/** What a build reads and by which rules, all flags resolved. */
export interface Plan {
  source: RawSource;
  reviews: { files: readonly string[]; table: ReviewTable };
  /** How ties in time are put in order. */
  ties: { rule: TieRule; seed: number; keepsFile: boolean };
  /** Absent where items have no titles. */
  items?: ItemFiles;
  texts: TextRules;
  selection: Selection;
  split: SplitKind;
}

/** The plan of flags for files that are there. Throws `UserError` for flags that do not go together. */
export function planOf(
  config: EtlConfig,
  reviewFiles: readonly string[],
  metaFiles: readonly string[],
): Plan {
  const source = rawSource(config.dataset!);
  const { parity, titleFilter, maxTitleWords, userK, itemK, start, end, expandWindow, split } = config;
  const options = { columns: config, categoriesKeyOnly: parity.includes("categories-key") };
  const table = tableOf(reviewFiles, (path) => source.reviews(path, options));
  const window = { start: parseDate(start), end: parseDate(end) };
  refuseContradictions(config, source, table, window);
  return {
    source,
    reviews: { files: reviewFiles, table },
    ties: { rule: config.ties, seed: config.seed, keepsFile: source.keepsFileOrder === true },
    items: itemFiles(config, source, options, { reviewFiles, metaFiles }),
    texts: {
      filter: titleFilter === "auto" ? source.titleFilter : titleFilter,
      maxWords: maxTitleWords,
      twoEntities: parity.includes("two-entities"),
      printedLists: parity.includes("printed-lists"),
    },
    selection: {
      userK,
      itemK,
      window,
      endInclusive: parity.includes("end-inclusive"),
      expand: expandWindow,
    },
    split,
  };
}

function refuseContradictions(
  config: EtlConfig,
  source: RawSource,
  { time }: ReviewTable,
  { start, end }: TimeWindow,
): void {
  const column = source.columnsByUser
    ? undefined
    : Object.keys(ColumnFlags).find((key) => config[key as keyof typeof ColumnFlags] !== columnDefault(key));
  if (column !== undefined) {
    throw new UserError(
      `Cannot use --${
        dashed(column)
      } with --dataset ${source.name}, whose columns are known. Use --dataset generic`,
    );
  }
  const { timeUnit, timeFormat } = config;
  if (timeFormat !== "" && timeUnit !== "auto" && timeUnit !== "text") {
    throw new UserError(
      `Cannot read times by --time-format ${timeFormat} and as --time-unit ${timeUnit}: expected one of them. Leave one out`,
    );
  }
  const roles = (["user", "item", "time"] as const).filter((role) => config[role] !== "");
  const second = roles.find((role, r) => roles.slice(0, r).some((other) => config[other] === config[role]));
  if (second !== undefined) {
    const first = roles.find((role) => config[role] === config[second]);
    throw new UserError(
      `Cannot use the column ${
        config[second]
      } as --${first} and as --${second}: expected a column for each. Name another`,
    );
  }
  if (config.split === "time" && time === undefined) {
    throw new UserError(
      "Cannot split by time: no column of times. Name it with --time, or use --split leave-one-out",
    );
  }
  if ((start !== null || end !== null) && time === undefined) {
    throw new UserError("Cannot cut a window of time: no column of times. Name it with --time");
  }
  if (start !== null && end !== null && start >= end) {
    throw new UserError(
      `Cannot use the window from ${config.start} to ${config.end}: expected --start before --end`,
    );
  }
  if (config.expandWindow && start === null) {
    throw new UserError(
      "Cannot expand a window without --start. Name its first day, or drop --expand-window",
    );
  }
}

function columnDefault(key: string): unknown {
  return ColumnFlags[key as keyof typeof ColumnFlags].parse(undefined);
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Files of items: `--meta`, else the reviews themselves where the source has its items there. */
function itemFiles(
  { titleFilter, encoding, maxBadLines }: EtlConfig,
  source: RawSource,
  options: SourceOptions,
  { reviewFiles, metaFiles }: { reviewFiles: readonly string[]; metaFiles: readonly string[] },
): ItemFiles | undefined {
  if (metaFiles.length === 0 && !source.columnsByUser) {
    if (titleFilter === "off") return undefined;
    throw new UserError(
      `Cannot make a dataset of ${source.name} without --meta: its titles come from there (${source.layout}). ` +
        `Name the file, or go without titles with --title-filter off`,
    );
  }
  const files = metaFiles.length > 0 ? metaFiles : reviewFiles;
  const table = tableOf(files, (path) => source.items(path, options));
  if (table === undefined && metaFiles.length > 0) {
    throw new UserError(`Cannot use --meta ${metaFiles[0]} without a column of titles. Name it with --title`);
  }
  return table && { files, table, encoding, maxBadLines, oneLineEach: metaFiles.length > 0 };
}

/** How to read files that must all be of one kind. */
function tableOf<T extends { format: object } | undefined>(
  files: readonly string[],
  read: (path: string) => T,
): T {
  const table = read(files[0]);
  for (const file of files.slice(1)) {
    if (JSON.stringify(read(file)?.format) === JSON.stringify(table?.format)) continue;
    throw new UserError(`Cannot read ${files[0]} and ${file} together: expected files of one format`);
  }
  return table;
}
