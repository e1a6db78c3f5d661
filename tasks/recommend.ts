import { z } from "zod";
import { LineFile } from "../base/files/line_file.ts";
import { UserError } from "../base/user_error.ts";
import type { Recommender, ScoreUnit } from "../eval/recommender.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { openRun } from "../train/runs/open_run.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { MemoryFlags, openLimited } from "./_cli/memory.ts";
import { DeviceFlags } from "./_cli/open_device.ts";
import {
  AskedTask,
  checkAsked,
  checkReasonDraws,
  checkReasons,
  HistoryFlag,
  ReasonFlags,
  ReasonSeed,
  RunFlags,
  SearchFlags,
  WeightFlags,
} from "./_cli/run_flags.ts";
import { tableLines } from "./_cli/table.ts";
import {
  answerLine,
  dialogueOf,
  type ListedItem,
  listedItem,
  type Recommended,
  recommendItems,
} from "./_recommend/answer.ts";
import { fittedBatch } from "./_recommend/fitted_batch.ts";
import { type HistoryRow, itemsOf, readHistories, saidBy } from "./_recommend/histories.ts";
import { ItemFilter } from "./_recommend/item_filter.ts";
import { ItemLookup, itemsIn } from "./_recommend/item_lookup.ts";
import { toldFault } from "./_recommend/told.ts";

const config = z.strictObject({
  ...RunFlags,
  ...AskedTask,
  ...ReasonFlags,
  ...SearchFlags,
  ...WeightFlags,
  ...ReasonSeed,
  ...HistoryFlag,
  titles: z.array(z.string()).default([]).meta({
    description:
      'the history by whole titles, oldest first, such as "Blue Tape|Steel Rule, 30 cm"; or repeat the flag, then a | is ' +
      "part of a title",
    separator: "\n",
  }),
  say: z.array(z.string()).default([]).meta({
    description:
      'what the user says after the question, such as "something lighter", in the words and the frame of the run; ' +
      "repeat the flag for several turns, each of which but the last is answered with the best item before the next is said",
    separator: "\n",
  }),
  preference: z.string().default("").describe(
    'the user\'s taste in words, such as "light tools", for task preference-to-sid',
  ),
  file: z.string().default("").describe(
    'JSON Lines, one user each: {"user": "ann", "history": [12, "B00AX"]} or {"titles": ["Blue Tape"]}, with "preference" ' +
      'where the task asks by one, and "say", a text or several turns; the answer is one line of JSON each, with the reason under error where there ' +
      "is none",
  ),
  out: z.string().default("").describe("file for the answers to --file, instead of stdout"),
  top: z.int().min(1).default(10).describe("items to show"),
  beams: z.int().min(1).default(50).describe(
    "SIDs that a search keeps; at least --top are, and with --exclude-seen room for the history besides",
  ),
  excludeSeen: z.boolean().default(false).describe("never list an item of the history"),
  category: z.array(z.string()).default([]).meta({
    description: "search the items of this category alone; several: of any of them",
    separator: "|",
  }),
  ...MemoryFlags,
  ...DeviceFlags,
});

export const task: Task<typeof config> = {
  name: "recommend",
  summary: "what to show a user with this history",
  examples: [
    "recommend --run runs/a --history 12,845,77 --top 10",
    "recommend --run runs/a --history 12,845 --exclude-seen --category Tools",
    "recommend --run runs/a --file histories.jsonl --out lists.jsonl",
    "recommend --run runs/a --history 12,845 --task titles-to-sid",
  ],
  config,
  async run(flags, io) {
    checkSource(flags);
    checkReasonDraws(flags);
    let opened: Promise<Device> | undefined;
    const device = () => opened ??= openLimited(flags);
    const recommender = await openRun(flags.run, { ...flags, itemsOnly: true, device });
    const { dataset, provenance: { data }, search } = recommender;
    checkAsked(recommender, flags.task);
    checkReasons(recommender, flags);
    if (search?.warning !== undefined) console.error(`Warning: ${search.warning}`);
    const allowed = flags.category.length > 0 ? itemsIn(flags.category, dataset, data) : undefined;
    const work: Work = {
      flags,
      recommender,
      lookup: new ItemLookup(dataset, data),
      filter: new ItemFilter(dataset.items.length, flags.excludeSeen, allowed),
      io,
      device,
      again: (device) => openRun(flags.run, { ...flags, dataset, device }),
    };
    try {
      if (flags.file === "") await answerOne(work);
      else await answerFile(work);
    } finally {
      recommender.destroy();
    }
  },
};

type Flags = z.output<typeof config>;

const TURN_NOTE =
  "Note: no task of genrec teaches what to do with a turn of the user: how far the model follows it is up " +
  "to what it was trained on before";

/** What the scores of a table are. */
const SCORES: Record<ScoreUnit, string> = {
  "log-probability": "log-probabilities",
  logit: "logits of the model, comparable within the list",
  weight: "weights of counts, comparable within the list",
};

function checkSource({ history, titles, preference, say, file, out }: Flags): void {
  const given = [history.length > 0, titles.length > 0, file !== ""].filter(Boolean).length;
  if (given !== 1) {
    throw new UsageError(
      `Expected one of --history, --titles and --file, found ${
        given || "none"
      }. See \`genrec recommend --help\``,
    );
  }
  for (const [name, told] of Object.entries({ preference, say })) {
    if (told.length === 0 || file === "") continue;
    throw new UsageError(
      `Cannot use --${name} with --file: each line of the file has its own, under ${name}`,
    );
  }
  if (out !== "" && file === "") {
    throw new UsageError(
      "Cannot use --out without --file: one history is answered on the terminal, with --json as JSON",
    );
  }
}

interface Work {
  flags: Flags;
  recommender: Recommender;
  lookup: ItemLookup;
  filter: ItemFilter;
  io: TaskIO;
  device(): Promise<Device>;
  /** The same recommender on another device. */
  again(device: () => Promise<Device>): Promise<Recommender>;
}

/** Why somebody gets no answer; undefined where nothing speaks against one. Throws as {@link toldFault}. */
function faultOf({ filter, recommender }: Work, row: HistoryRow): string | undefined {
  return filter.faultOf(row) ?? toldFault(recommender, row);
}

/** Answers to some of the rows, in their order. */
async function answerRows(
  { flags: { top, beams }, recommender, filter }: Work,
  rows: readonly HistoryRow[],
): Promise<Recommended[]> {
  const asked = rows.map((row) => dialogueOf(row, filter.excluded(row.history)));
  return await recommendItems(recommender, asked, { top, beams, allowed: filter.allowed });
}

/** Answers `--history` or `--titles` with a table, or with JSON. */
async function answerOne(work: Work): Promise<void> {
  const { flags, recommender, lookup, io } = work;
  const { preference } = flags, told = { preference, ...saidBy(flags.say) };
  const row: HistoryRow = flags.titles.length > 0
    ? { history: titled(flags.titles, lookup), unknown: [], place: "--titles", ...told }
    : { ...itemsOf(flags.history, "--history", lookup), ...told };
  if (row.unknown.length > 0) throw lookup.unknown(row.unknown, row.place);
  const fault = faultOf(work, row);
  if (fault !== undefined) throw new UserError(fault);
  lookup.notes(flags.history).forEach((note) => io.log(note));
  const { history } = row;
  const [answer] = await answerRows(work, [row]);
  const { turns = [], reasoning, recommendations } = answer;
  if (row.say) console.error(TURN_NOTE);
  const bought = history.map((item) => listedItem(recommender, item));
  const { provenance: { checkpoint }, search, scoreUnit } = recommender;
  if (io.json) {
    console.log(JSON.stringify({ run: flags.run, checkpoint, history: bought, ...answer }, null, 2));
    return;
  }
  const used = search ? bought.slice(-search.maxHistory) : bought;
  const heading = `History, oldest first${used.length < bought.length ? ` (the last ${used.length})` : ""}:`;
  // Columns of numbers stand at the right, the others at the left.
  const sidOf = ({ sid }: ListedItem) => sid === undefined ? [] : [sid];
  const idOf = ({ item }: ListedItem) => lookup.hasIds ? [lookup.idOf(item) ?? String(item)] : [];
  const ids = lookup.hasIds ? 1 : 0;
  const texts = [...(ids ? [2] : []), ...(search ? [2 + ids, 4 + ids] : [3 + ids])];
  const rows = recommendations.map((row, i) => [
    `  ${i + 1}`,
    String(row.item),
    ...idOf(row),
    ...sidOf(row),
    row.score.toFixed(2),
    row.title,
  ]);
  [
    heading,
    ...tableLines(
      used.map((row) => [`  ${row.item}`, ...idOf(row), ...sidOf(row), row.title]),
      [1, 2, 3].slice(0, 1 + ids + (search ? 1 : 0)),
    ),
    ...turns.flatMap(({ say, answer }) => [
      `User: ${say}`,
      `Answer: ${[answer.item, ...idOf(answer), ...sidOf(answer), answer.title].join("  ")}`,
    ]),
    ...(row.say && turns.length > 0 ? [`User: ${row.say.at(-1)}`] : []),
    ...(reasoning === undefined ? [] : [`Reasons of the model: ${reasoning}`]),
    `Recommendations of ${flags.run} (${checkpoint}); scores are ${SCORES[scoreUnit]}:`,
    ...tableLines([
      ["  ", "item", ...(ids ? ["id"] : []), ...(search ? ["SID"] : []), "score", "title"],
      ...rows,
    ], texts),
  ].forEach((line) => io.log(line));
}

/** Answers the lines of `--file` in order, a batch in memory at a time; all are checked before the model is loaded. */
async function answerFile(work: Work): Promise<void> {
  const { flags, lookup, io } = work;
  let count = 0, unanswered = 0, incomplete = 0, turns = 0, firstFault = "";
  const longest: HistoryRow[] = [];
  for await (const row of readHistories(flags.file, lookup)) {
    count++;
    if (row.say) turns++;
    const fault = faultOf(work, row);
    if (fault !== undefined) {
      unanswered++;
      firstFault ||= fault;
      continue;
    }
    if (row.unknown.length > 0) incomplete++;
    keepLongest(longest, row);
  }
  if (turns > 0) console.error(TURN_NOTE);
  if (count === 0) {
    throw new UserError(`Cannot recommend for ${flags.file}: it has no lines. Write one line of JSON a user`);
  }
  if (unanswered === count) throw new UserError(firstFault);
  const batch = await batchOf(work, longest);
  await using file = flags.out === "" ? undefined : await LineFile.create(flags.out);
  const progress = io.progress(count, "recommend");
  let done = 0;
  const answer = async (rows: HistoryRow[]) => {
    const known = rows.filter((row) => faultOf(work, row) === undefined);
    const lists = known.length > 0 ? await answerRows(work, known) : [];
    for (
      const row of rows.map((row) =>
        answerLine(row, lists[known.indexOf(row)] ?? { error: faultOf(work, row)! }, lookup)
      )
    ) {
      if (file) await file.append(row);
      else console.log(JSON.stringify(row));
    }
    progress.update(done += rows.length);
    io.signal.throwIfAborted();
  };
  try {
    let waiting: HistoryRow[] = [];
    for await (const row of readHistories(flags.file, lookup)) {
      waiting.push(row);
      if (waiting.length < batch) continue;
      await answer(waiting);
      waiting = [];
    }
    if (waiting.length > 0) await answer(waiting);
  } finally {
    progress.stop();
  }
  if (unanswered > 0) {
    io.log(`${unanswered} of ${count} users have no answer, their lines say why under error`);
  }
  if (incomplete > 0) io.log(`${incomplete} users have items that are not in the data, listed under unknown`);
  if (!file) return;
  await file.commit();
  io.log(`Wrote ${flags.out}, ${count} users`);
}

/** Rows of a file whose lengths are remembered: no batch is larger. */
const MOST_ROWS = 4096;

function keepLongest(rows: HistoryRow[], row: HistoryRow): void {
  rows.push(row);
  if (rows.length < 2 * MOST_ROWS) return;
  rows.sort((a, b) => b.history.length - a.history.length);
  rows.length = MOST_ROWS;
}

/** Users to answer at once, so many as there is memory for; says what that takes where answers do not go. */
async function batchOf(work: Work, rows: readonly HistoryRow[]): Promise<number> {
  const { flags: { top, beams, out }, recommender, filter: { allowed }, io, device } = work;
  const asked = rows.toSorted((a, b) => b.history.length - a.history.length)
    .map((row) => dialogueOf(row, work.filter.excluded(row.history)).request);
  const options = { k: top, beams, allowed };
  const size = await fittedBatch(
    device,
    { again: work.again, asked, options },
    out === "" ? { log: console.error } : io,
  );
  return size ?? await recommender.batchSize(options);
}

/** Items of `--titles`: one flag may hold several between bars, unless it is a title as a whole. */
function titled(titles: readonly string[], lookup: ItemLookup): number[] {
  const parts = titles.length > 1 || lookup.hasTitle(titles[0]) ? titles : titles[0].split("|");
  return parts.map((title) => lookup.numberOf(title.trim(), "--titles"));
}
