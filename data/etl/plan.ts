import type { SplitKind } from "../corpus.ts";
import { UserError } from "../user_error.ts";
import { type EtlConfig, sources } from "./config.ts";
import type { ItemFiles, TextRules } from "./items.ts";
import type { Selection } from "./select_log.ts";
import type { RawSource, ReviewTable, SourceOptions } from "./source.ts";
import { parseDate } from "./window.ts";

/** What a build reads and by which rules, all flags resolved. */
export interface Plan {
  source: RawSource;
  reviews: { files: readonly string[]; table: ReviewTable };
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
  const source = sources.get(config.dataset!)!;
  const { parity, titleFilter, maxTitleWords, userK, itemK, start, end, expandWindow, split } = config;
  const options = { columns: config, categoriesKeyOnly: parity.includes("categories-key") };
  const table = tableOf(reviewFiles, (path) => source.reviews(path, options));
  if (split === "time" && table.time === undefined) {
    throw new UserError(
      "Cannot split by time: no column of times. Name it with --time, or use --split leave-one-out",
    );
  }
  if ((start || end) && table.time === undefined) {
    throw new UserError("Cannot cut a window of time: no column of times. Name it with --time");
  }
  return {
    source,
    reviews: { files: reviewFiles, table },
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
      window: { start: parseDate(start), end: parseDate(end) },
      endInclusive: parity.includes("end-inclusive"),
      expand: expandWindow,
    },
    split,
  };
}

/** Files of items: `--meta`, else the reviews themselves where the source has its items there. */
function itemFiles(
  { titleFilter }: EtlConfig,
  source: RawSource,
  options: SourceOptions,
  { reviewFiles, metaFiles }: { reviewFiles: readonly string[]; metaFiles: readonly string[] },
): ItemFiles | undefined {
  if (metaFiles.length === 0 && !source.itemsInReviews) {
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
  return table && { files, table };
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
