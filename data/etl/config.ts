import { z } from "zod";
import { memorySize } from "../../base/fields.ts";
import { SPLIT_KINDS } from "../corpus.ts";
import { TITLE_FILTERS } from "./read/clean_text.ts";
import { SOURCES } from "./by_name.ts";
import { TIE_RULES } from "./ties.ts";
import { encodingNamed } from "./read/text_lines.ts";
import { TIME_UNITS } from "./read/time_form.ts";
import { parseDate } from "./time_window.ts";

/** Text in which every % begins a mark that DuckDB's `strptime` knows. */
const STRPTIME = /^(?:[^%]|%-?[dHIjmMSy]|%[aAbBcfgGnpuUVwWxXYzZ%])*$/;

/** What MiniOneRec does where this program does better: for figures that are compared with published ones. */
export const PARITY = ["end-inclusive", "two-entities", "printed-lists", "categories-key"] as const;
export type Parity = typeof PARITY[number];

const column = (role: string) => z.string().default("").describe(`generic: column of ${role}`);
const date = (text: string) =>
  z.string().default("").refine(isDate, { error: "expected a date such as 2016-10 or 2016-10-31" }).describe(
    text,
  );

/** Which column is what, for sources whose columns the user names. */
export const ColumnFlags = {
  user: column("the user"),
  item: column("the item"),
  time: column("the time"),
  timeUnit: z.enum(TIME_UNITS).default("auto").describe(
    "generic: how times are written; auto finds it out, one form for the whole column",
  ),
  timeFormat: z.string().regex(STRPTIME, { error: "expected strptime's marks, such as %d.%m.%Y %H:%M" })
    .default("")
    .describe("generic: strptime format of times, such as %d.%m.%Y %H:%M"),
  rating: column("the rating"),
  context: column("where the user was, such as search or home page: GPR's context token"),
  metaItem: column("the item in --meta, where it is not that of --item"),
  title: column("the item's title, in --meta, else in --reviews"),
  text: column("the item's description"),
  brand: column("the item's maker"),
  category: column("the item's categories"),
  price: column("the item's price"),
  features: column("the item's features"),
};

/** Flags of `genrec data`. */
export const EtlConfig = z.strictObject({
  dataset: z.enum(SOURCES.map(({ name }) => name)).optional().describe("kind of raw data:"),
  reviews: z.array(z.string()).default([]).describe(
    "files of reviews: paths, globs, http or object-store addresses",
  ),
  meta: z.array(z.string()).default([]).describe("files of items"),
  out: z.string().default("").describe("dataset folder to write"),
  force: z.boolean().default(false).describe("replace a dataset that is in --out"),
  name: z.string().default("").describe("name for reports; else that of the --out folder"),
  userK: z.int().min(1).default(5).describe("least interactions of a user, to a fixed point with --item-k"),
  itemK: z.int().min(1).default(5).describe("least interactions of an item"),
  start: date("first day that counts, UTC, e.g. 2016-10 or 2016-10-31"),
  end: date("first day that counts no more, UTC"),
  expandWindow: z.boolean().default(false).describe(
    "start a year earlier while fewer than 3000 items are left, back to 1996 (MiniOneRec's rule)",
  ),
  titleFilter: z.enum(["auto", ...TITLE_FILTERS]).default("auto").describe(
    "items to leave out: strict (no title, page code, one character, over --max-title-words), nonempty (no title), " +
      "off; auto is the dataset's own",
  ),
  maxTitleWords: z.int().min(1).default(20).describe("most words of a title under strict"),
  maxHistory: z.int().min(1).max(1000).default(10).describe(
    "most items in a sample's history, e.g. 10 or 50",
  ),
  split: z.enum(SPLIT_KINDS).default("time").describe(
    "time: all samples by time, 8:1:1; leave-one-out: a user's last is test, the one before valid",
  ),
  ties: z.enum(TIE_RULES).default("auto").describe(
    "order of one user's events at the same time: file as they stand; shuffle by a seeded hash of user and item; auto as " +
      "the file, but shuffle where its order follows from the items:",
  ),
  seed: z.int().default(42).describe("seed of --ties shuffle"),
  dropRepeats: z.boolean().default(false).describe(
    "leave out lines that repeat the user, item and time of an earlier one",
  ),
  allowEmpty: z.boolean().default(false).describe("accept an empty valid or test split"),
  encoding: z.string().default("auto").refine(isEncoding, {
    error: "expected an encoding such as utf-8, windows-1252, utf-16le or gb18030",
  }).describe("encoding of text files; auto is that of their byte order mark, else UTF-8"),
  maxBadLines: z.int().min(0).default(0).describe(
    "lines that may be left out as unreadable; all are counted",
  ),
  ...ColumnFlags,
  gpr: z.boolean().default(false).describe("add GPR's user token, item type and value as attributes"),
  parity: z.array(z.enum(PARITY)).default([]).describe(
    "do as MiniOneRec does: count the end's first instant; decode two entities in titles; print lists in " +
      "descriptions; read the key categories alone:",
  ),
  memory: memorySize("1GB").describe("what DuckDB may hold in memory; the rest goes to disk beside --out"),
  threads: z.int().min(0).default(0).describe("threads of DuckDB; 0 is one a core"),
});
export type EtlConfig = z.output<typeof EtlConfig>;

function isEncoding(label: string): boolean {
  try {
    return label === "auto" || encodingNamed(label) !== "";
  } catch {
    return false;
  }
}

function isDate(text: string): boolean {
  try {
    parseDate(text);
    return true;
  } catch {
    return false;
  }
}
