import { z } from "zod";
import { UserError } from "../data/user_error.ts";
import type { BeamResult, BeamSearch } from "../eval/beam_search.ts";
import { beamsFor, ItemLists, type ScoredItem } from "../eval/item_lists.ts";
import { type Task, type TaskIO, UsageError } from "./_cli.ts";
import { readHistories, type UserHistory } from "./_histories.ts";
import { openDevice, VariantFlag } from "./_inputs.ts";
import { ItemLookup, itemsIn } from "./_item_lookup.ts";
import { LineFile } from "./_output.ts";
import { openModel, openRun, openSearch, RunFlags, type TrainedRun } from "./_run.ts";
import { tableLines } from "./_table.ts";

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
  ...VariantFlag,
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
    const { history, titles, file, out } = flags;
    const given = [history.length > 0, titles.length > 0, file !== ""].filter(Boolean).length;
    if (given !== 1 || out !== "" && file === "") {
      throw new UsageError(
        given !== 1
          ? `Expected one of --history, --titles and --file, found ${
            given || "none"
          }. See \`genrec recommend --help\``
          : "Cannot use --out without --file: one history is answered on the terminal, with --json as JSON",
      );
    }
    const run = await openRun(flags.run, flags.data, flags);
    const lookup = new ItemLookup(run.dataset, run.data);
    const allowed = flags.category.length > 0 ? itemsIn(flags.category, run.dataset, run.data) : undefined;
    const filter = new ItemFilter(flags, allowed);

    if (file !== "") {
      // All of it is checked before the model is loaded.
      let users = 0;
      for await (const user of readHistories(file, lookup)) {
        filter.check(user, run);
        users++;
      }
      if (users === 0) {
        throw new UserError(`Cannot recommend for ${file}: it has no lines. Write one line of JSON a user`);
      }
      await answerFile(readHistories(file, lookup), users, flags, run, io, filter);
      return;
    }

    lookup.check(history, "--history");
    const items = titles.length > 0 ? titles.map((title) => lookup.numberOf(title, "--titles")) : history;
    const user = { history: items, place: titles.length > 0 ? "--titles" : "--history" };
    filter.check(user, run);
    const { recommend, checkpoint } = await openRecommend(flags, run, filter);
    const [scored] = await recommend([user]);
    const recommendations = scored.map(({ item, score }) => ({ ...listed(run, item), score }));
    const historyItems = items.map((item) => listed(run, item));
    if (io.json) {
      const report = { run: flags.run, checkpoint, history: historyItems, recommendations };
      console.log(JSON.stringify(report, null, 2));
      return;
    }
    const used = historyItems.slice(-run.maxHistory);
    io.log(`History, oldest first${used.length < items.length ? ` (the last ${used.length})` : ""}:`);
    tableLines(used.map(({ item, sid, title }) => [`  ${item}`, sid, title]), [1, 2]).forEach((line) =>
      io.log(line)
    );
    io.log(`Recommendations of ${flags.run} (${checkpoint}); scores are log-probabilities:`);
    const rows = recommendations.map(({ item, sid, score, title }, i) => [
      `  ${i + 1}`,
      String(item),
      sid,
      score.toFixed(2),
      title,
    ]);
    tableLines([["  ", "item", "SID", "score", "title"], ...rows], [2, 4]).forEach((line) => io.log(line));
  },
};

type Flags = z.output<typeof config>;

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
  excluded({ history }: UserHistory): Set<number> {
    if (!this.#excludeSeen) return new Set();
    return new Set(this.#allowed ? history.filter((item) => this.#allowed!.has(item)) : history);
  }

  /** Throws {@link UserError} where nothing is left to recommend. */
  check(user: UserHistory, { dataset }: TrainedRun): void {
    const items = this.allowed?.length ?? dataset.items.length;
    if (this.excluded(user).size < items) return;
    throw new UserError(
      `Cannot recommend for ${user.place}: all ${items} items${
        this.allowed ? " of --category" : ""
      } are in the ` +
        "history. Leave --exclude-seen out",
    );
  }
}

type Recommend = (users: readonly UserHistory[]) => Promise<ScoredItem[][]>;

/** Loads the model. `batch` is how many users to ask for at once. */
async function openRecommend(
  { beams, top, normalisation, checkpoint: which, variant }: Flags,
  run: TrainedRun,
  filter: ItemFilter,
): Promise<{ recommend: Recommend; batch: number; checkpoint: string }> {
  const { device } = await openDevice(variant);
  const { decoder, checkpoint } = await openModel(device, run, which);
  const { items, samples } = run.dataset;
  const searches = new Map<number, BeamSearch>();
  const searchFor = (beams: number) => {
    let search = searches.get(beams);
    if (!search) {
      search = openSearch(device, run, decoder, { beams, normalisation, items: filter.allowed });
      searches.set(beams, search);
    }
    return search;
  };
  const fewest = Math.max(beams, top);
  const { trie, promptsPerBatch } = searchFor(fewest);
  const lists = new ItemLists(trie.host, samples.train, items.length);
  return {
    checkpoint,
    batch: promptsPerBatch,
    async recommend(users) {
      const without = users.map((user) => filter.excluded(user));
      const widths = Map.groupBy(users.keys(), (i) => beamsFor(fewest, top, without[i].size));
      const found: BeamResult[] = [];
      for (const [beams, members] of widths) {
        const search = searchFor(beams);
        for (let start = 0; start < members.length; start += search.promptsPerBatch) {
          const batch = members.slice(start, start + search.promptsPerBatch);
          const results = await search.run(batch.map((i) => run.prompts.prompt(users[i].history)));
          batch.forEach((i, b) => found[i] = results[b]);
        }
      }
      return found.map((result, i) => lists.list(result, top, without[i]));
    },
  };
}

/** Answers all users in order, a batch in memory at a time. */
async function answerFile(
  histories: AsyncIterable<UserHistory>,
  count: number,
  flags: Flags,
  run: TrainedRun,
  io: TaskIO,
  filter: ItemFilter,
): Promise<void> {
  await using file = flags.out === "" ? undefined : await LineFile.create(flags.out);
  const { recommend, batch } = await openRecommend(flags, run, filter);
  const progress = io.progress(count, "recommend");
  let done = 0;
  const answer = async (users: UserHistory[]) => {
    const lists = await recommend(users);
    for (const [i, { user, history }] of users.entries()) {
      const recommendations = lists[i].map(({ item, score }) => ({ ...listed(run, item), score }));
      const row = { ...(user !== undefined && { user }), history, recommendations };
      if (file) await file.append(row);
      else console.log(JSON.stringify(row));
    }
    progress.update(done += users.length);
    io.signal.throwIfAborted();
  };
  try {
    let waiting: UserHistory[] = [];
    for await (const user of histories) {
      waiting.push(user);
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
