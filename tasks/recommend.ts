import { z } from "zod";
import { LineFile } from "../base/files/line_file.ts";
import { UserError } from "../base/user_error.ts";
import { listedItems } from "../eval/item_lists.ts";
import type { Recommender, ScoreUnit } from "../eval/recommender.ts";
import { openRun } from "../train/runs/open_run.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { RunFlags } from "./_cli/run_flags.ts";
import { tableLines } from "./_cli/table.ts";
import { type HistoryRow, readHistories } from "./_recommend/histories.ts";
import { ItemFilter } from "./_recommend/item_filter.ts";
import { ItemLookup, itemsIn } from "./_recommend/item_lookup.ts";

const config = z.strictObject({
  ...RunFlags,
  history: z.array(z.int().min(0)).default([]).describe("item numbers, oldest first, such as 12,845,77"),
  titles: z.array(z.string()).default([]).meta({
    description:
      'the history by whole titles, oldest first, such as "Blue Tape|Steel Rule, 30 cm"; or repeat the flag',
    separator: "|",
  }),
  file: z.string().default("").describe(
    'JSON Lines, one user each: {"user": "ann", "history": [12, 845]} or {"titles": ["Blue Tape"]}; the answer is one ' +
      "line of JSON each",
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
  ...DeviceFlags,
});

interface ListedItem {
  item: number;
  /** Absent where items are scored by themselves. */
  sid?: string;
  title: string;
}

export const task: Task<typeof config> = {
  name: "recommend",
  summary: "what to show a user with this history",
  examples: [
    "recommend --run runs/a --history 12,845,77 --top 10",
    "recommend --run runs/a --history 12,845 --exclude-seen --category Tools",
    "recommend --run runs/a --file histories.jsonl --out lists.jsonl",
  ],
  config,
  async run(flags, io) {
    checkSource(flags);
    const device = async () => (await openDevice(flags)).device;
    const recommender = await openRun(flags.run, { ...flags, device });
    const { dataset, provenance: { data } } = recommender;
    const allowed = flags.category.length > 0 ? itemsIn(flags.category, dataset, data) : undefined;
    const work: Work = {
      flags,
      recommender,
      lookup: new ItemLookup(dataset, data),
      filter: new ItemFilter(dataset.items.length, flags.excludeSeen, allowed),
      io,
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

/** What the scores of a table are. */
const SCORES: Record<ScoreUnit, string> = {
  "log-probability": "log-probabilities",
  logit: "logits of the model, comparable within the list",
  weight: "weights of counts, comparable within the list",
};

function checkSource({ history, titles, file, out }: Flags): void {
  const given = [history.length > 0, titles.length > 0, file !== ""].filter(Boolean).length;
  if (given !== 1) {
    throw new UsageError(
      `Expected one of --history, --titles and --file, found ${
        given || "none"
      }. See \`genrec recommend --help\``,
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
}

function listed({ catalogue: { sids, items } }: Recommender, item: number): ListedItem {
  return { item, ...(sids && { sid: sids[item].join("") }), title: items[item].title };
}

interface Recommendation extends ListedItem {
  score: number;
}

async function recommend(
  { flags: { top, beams }, recommender, filter }: Work,
  rows: readonly HistoryRow[],
): Promise<Recommendation[][]> {
  const requests = rows.map(({ history }) => ({ history, excluded: filter.excluded(history) }));
  const lists = await recommender.recommend(requests, { k: top, beams, allowed: filter.allowed });
  return lists.map((candidates) =>
    listedItems(candidates, top).map(({ item, score }) => ({ ...listed(recommender, item), score }))
  );
}

/** Answers `--history` or `--titles` with a table, or with JSON. */
async function answerOne(work: Work): Promise<void> {
  const { flags, recommender, lookup, filter, io } = work;
  lookup.check(flags.history, "--history");
  const history = flags.titles.length > 0
    ? flags.titles.map((title) => lookup.numberOf(title, "--titles"))
    : flags.history;
  const row = { history, place: flags.titles.length > 0 ? "--titles" : "--history" };
  filter.check(row);
  const [recommendations] = await recommend(work, [row]);
  const bought = history.map((item) => listed(recommender, item));
  const { provenance: { checkpoint }, search, scoreUnit } = recommender;
  if (io.json) {
    console.log(JSON.stringify({ run: flags.run, checkpoint, history: bought, recommendations }, null, 2));
    return;
  }
  const used = search ? bought.slice(-search.maxHistory) : bought;
  const heading = `History, oldest first${used.length < bought.length ? ` (the last ${used.length})` : ""}:`;
  // Columns of numbers stand at the right, the others at the left.
  const sidOf = ({ sid }: ListedItem) => sid === undefined ? [] : [sid];
  const texts = search ? [2, 4] : [3];
  const rows = recommendations.map((row, i) => [
    `  ${i + 1}`,
    String(row.item),
    ...sidOf(row),
    row.score.toFixed(2),
    row.title,
  ]);
  [
    heading,
    ...tableLines(used.map((row) => [`  ${row.item}`, ...sidOf(row), row.title]), search ? [1, 2] : [1]),
    `Recommendations of ${flags.run} (${checkpoint}); scores are ${SCORES[scoreUnit]}:`,
    ...tableLines([["  ", "item", ...(search ? ["SID"] : []), "score", "title"], ...rows], texts),
  ].forEach((line) => io.log(line));
}

/** Answers the lines of `--file` in order, a batch in memory at a time; all are checked before the model is loaded. */
async function answerFile(work: Work): Promise<void> {
  const { flags, recommender, lookup, filter, io } = work;
  let count = 0;
  for await (const row of readHistories(flags.file, lookup)) {
    filter.check(row);
    count++;
  }
  if (count === 0) {
    throw new UserError(`Cannot recommend for ${flags.file}: it has no lines. Write one line of JSON a user`);
  }
  await using file = flags.out === "" ? undefined : await LineFile.create(flags.out);
  const batch = await recommender.batchSize({ k: flags.top, beams: flags.beams, allowed: filter.allowed });
  const progress = io.progress(count, "recommend");
  let done = 0;
  const answer = async (rows: HistoryRow[]) => {
    const lists = await recommend(work, rows);
    for (const [i, { user, history }] of rows.entries()) {
      const row = { ...(user !== undefined && { user }), history, recommendations: lists[i] };
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
  if (!file) return;
  await file.commit();
  io.log(`Wrote ${flags.out}, ${count} users`);
}
