import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import type { BeamResult, BeamSearch } from "../decode/beam_search.ts";
import { beamsFor, ItemLists } from "../eval/item_lists.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { type HistoryRow, readHistories } from "./_recommend/histories.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { ItemLookup, itemsIn } from "./_recommend/item_lookup.ts";
import { LineFile } from "../base/files/line_file.ts";
import { openModel, openRun, openSearch, openTrie, RunFlags, type TrainedRun } from "../train/trained_run.ts";
import { tableLines } from "./_cli/table.ts";

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
    "SIDs kept; at least --top are, and with --exclude-seen room for the history besides",
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
  sid: string;
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
    const run = await openRun(flags.run, flags.data, flags);
    const lookup = new ItemLookup(run.dataset, run.data);
    const allowed = flags.category.length > 0 ? itemsIn(flags.category, run.dataset, run.data) : undefined;
    const filter = new ItemFilter(flags, allowed);
    if (flags.file === "") await answerOne(flags, run, lookup, filter, io);
    else await answerFile(flags, run, lookup, filter, io);
  },
};

type Flags = z.output<typeof config>;

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

function listed({ sids, dataset }: TrainedRun, item: number): ListedItem {
  return { item, sid: sids[item].join(""), title: dataset.items[item].title };
}

/** What the flags keep off the lists. */
class ItemFilter {
  /** Items to search; undefined: all. */
  readonly allowed: readonly number[] | undefined;
  readonly #allowed: ReadonlySet<number> | undefined;
  readonly #excludeSeen: boolean;

  constructor({ excludeSeen }: Flags, allowed: readonly number[] | undefined) {
    this.allowed = allowed;
    this.#allowed = allowed && new Set(allowed);
    this.#excludeSeen = excludeSeen;
  }

  /** Items of the search that this user is not shown. */
  excluded({ history }: HistoryRow): Set<number> {
    if (!this.#excludeSeen) return new Set();
    return new Set(this.#allowed ? history.filter((item) => this.#allowed!.has(item)) : history);
  }

  /** Throws {@link UserError} where nothing is left to recommend. */
  check(row: HistoryRow, { dataset }: TrainedRun): void {
    const items = this.allowed?.length ?? dataset.items.length;
    if (this.excluded(row).size < items) return;
    throw new UserError(
      `Cannot recommend for ${row.place}: all ${items} items${
        this.allowed ? " of --category" : ""
      } are in the ` +
        "history. Leave --exclude-seen out",
    );
  }
}

interface Recommendation extends ListedItem {
  score: number;
}

type Recommend = (rows: readonly HistoryRow[]) => Promise<Recommendation[][]>;

/** Loads the model. `batch` is how many rows to ask for at once. */
async function openRecommend(
  { beams, top, normalisation, checkpoint: which, adapter, variant }: Flags,
  run: TrainedRun,
  filter: ItemFilter,
): Promise<{ recommend: Recommend; batch: number; checkpoint: string }> {
  const { device } = await openDevice({ adapter, variant });
  const { model, checkpoint } = await openModel(device, run, which);
  const { items, samples } = run.dataset;
  const trie = openTrie(device, run, filter.allowed);
  const searches = new Map<number, BeamSearch>();
  const searchFor = (beams: number) => {
    let search = searches.get(beams);
    if (!search) {
      search = openSearch(device, run, model, trie, { beams, normalisation });
      searches.set(beams, search);
    }
    return search;
  };
  const fewest = Math.max(beams, top);
  const { promptsPerBatch } = searchFor(fewest);
  const lists = new ItemLists(trie.host, samples.train, items.length);
  return {
    checkpoint,
    batch: promptsPerBatch,
    async recommend(rows) {
      const without = rows.map((row) => filter.excluded(row));
      const widths = Map.groupBy(rows.keys(), (i) => beamsFor(fewest, top, without[i].size));
      const found: BeamResult[] = [];
      for (const [beams, members] of widths) {
        const search = searchFor(beams);
        for (let start = 0; start < members.length; start += search.promptsPerBatch) {
          const batch = members.slice(start, start + search.promptsPerBatch);
          const results = await search.run(batch.map((i) => run.prompts.prompt(rows[i].history)));
          batch.forEach((i, b) => found[i] = results[b]);
        }
      }
      return found.map((result, i) =>
        lists.list(result, top, without[i]).map(({ item, score }) => ({ ...listed(run, item), score }))
      );
    },
  };
}

/** Answers `--history` or `--titles` with a table, or with JSON. */
async function answerOne(
  flags: Flags,
  run: TrainedRun,
  lookup: ItemLookup,
  filter: ItemFilter,
  io: TaskIO,
): Promise<void> {
  lookup.check(flags.history, "--history");
  const history = flags.titles.length > 0
    ? flags.titles.map((title) => lookup.numberOf(title, "--titles"))
    : flags.history;
  const row = { history, place: flags.titles.length > 0 ? "--titles" : "--history" };
  filter.check(row, run);
  const { recommend, checkpoint } = await openRecommend(flags, run, filter);
  const [recommendations] = await recommend([row]);
  const bought = history.map((item) => listed(run, item));
  if (io.json) {
    console.log(JSON.stringify({ run: flags.run, checkpoint, history: bought, recommendations }, null, 2));
    return;
  }
  const used = bought.slice(-run.maxHistory);
  const heading = `History, oldest first${used.length < bought.length ? ` (the last ${used.length})` : ""}:`;
  const rows = recommendations.map(({ item, sid, score, title }, i) => [
    `  ${i + 1}`,
    String(item),
    sid,
    score.toFixed(2),
    title,
  ]);
  [
    heading,
    ...tableLines(used.map(({ item, sid, title }) => [`  ${item}`, sid, title]), [1, 2]),
    `Recommendations of ${flags.run} (${checkpoint}); scores are log-probabilities:`,
    ...tableLines([["  ", "item", "SID", "score", "title"], ...rows], [2, 4]),
  ].forEach((line) => io.log(line));
}

/** Answers the lines of `--file` in order, a batch in memory at a time; all are checked before the model is loaded. */
async function answerFile(
  flags: Flags,
  run: TrainedRun,
  lookup: ItemLookup,
  filter: ItemFilter,
  io: TaskIO,
): Promise<void> {
  let count = 0;
  for await (const row of readHistories(flags.file, lookup)) {
    filter.check(row, run);
    count++;
  }
  if (count === 0) {
    throw new UserError(`Cannot recommend for ${flags.file}: it has no lines. Write one line of JSON a user`);
  }
  await using file = flags.out === "" ? undefined : await LineFile.create(flags.out);
  const { recommend, batch } = await openRecommend(flags, run, filter);
  const progress = io.progress(count, "recommend");
  let done = 0;
  const answer = async (rows: HistoryRow[]) => {
    const lists = await recommend(rows);
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
