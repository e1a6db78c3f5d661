import { UserError } from "../base/user_error.ts";
import type { Dataset } from "./dataset.ts";
import { chainHistories } from "./histories.ts";

/**
 * The dataset with its last `rows` train targets held out: they become the valid split, and the train split is what
 * came before them. 0 leaves the dataset as it is. Where train samples stand in time order the last rows go, else, as in
 * leave-one-out splits, the last target of `rows` users, evenly spread over those who have two or more; where there are fewer
 * such users, the targets before those as well. What fewer rows hold out, more rows do too, or other users' last targets.
 * @throws {UserError} where fewer targets are there than are to be held out.
 */
export function holdOut(dataset: Dataset, rows: number): Dataset {
  if (rows === 0) return dataset;
  const { samples, histories } = dataset;
  const inTimeOrder = isInTimeOrder(dataset);
  const held = inTimeOrder ? lastRows(dataset, rows) : lastOfUsers(dataset, rows);
  const train = samples.train.filter((_, row) => !held.has(row));
  const valid = samples.train.filter((_, row) => held.has(row));
  const cut = new Map<string, number>();
  for (const { user } of valid) cut.set(user, (cut.get(user) ?? 0) + 1);
  return {
    ...dataset,
    samples: { ...samples, train, valid },
    histories: inTimeOrder ? chainHistories(train) : histories.map((each) => {
      const left = each.items.length - (cut.get(each.user) ?? 0);
      return left < each.items.length ? { ...each, items: each.items.slice(0, left) } : each;
    }),
  };
}

/** The most rows that {@link holdOut} takes of a dataset. */
export function mostHeldOut(
  { samples: { train }, histories }: Pick<Dataset, "samples" | "histories">,
): number {
  const staying = isInTimeOrder({ histories }) ? 1 : new Set(train.map(({ user }) => user)).size;
  return Math.max(0, train.length - staying);
}

/** Whether train samples stand in time order: others are in that of their users. */
function isInTimeOrder({ histories }: Pick<Dataset, "histories">): boolean {
  return histories.every(({ times }) => times !== undefined);
}

/** Rows of a train split in time order that are held out. */
function lastRows({ name, samples: { train } }: Dataset, rows: number): Set<number> {
  if (rows >= train.length) throw tooFew(name, rows, `${train.length} train rows`, train.length - 1);
  return new Set(Array.from({ length: rows }, (_, i) => train.length - rows + i));
}

/** Rows that are held out of a train split in which only the targets of one user stand in time order. */
function lastOfUsers({ name, samples: { train } }: Dataset, rows: number): Set<number> {
  const ofUsers = Map.groupBy(train.keys(), (row) => train[row].user);
  const most = train.length - ofUsers.size;
  if (rows > most) {
    const found = `${train.length} train targets of ${ofUsers.size} users, each of whom keeps one`;
    throw tooFew(name, rows, found, most);
  }
  const held = new Set<number>();
  // The last target of each user, then the last but one, while more than the first is left.
  for (let back = 1; held.size < rows; back++) {
    const able = [...ofUsers.values()].filter((own) => own.length > back).map((own) =>
      own[own.length - back]
    );
    const some = Math.min(able.length, rows - held.size);
    for (let i = 0; i < some; i++) held.add(able[Math.floor(i * able.length / some)]);
  }
  return held;
}

function tooFew(name: string, rows: number, found: string, most: number): UserError {
  return new UserError(
    `Cannot hold out ${rows} train targets of ${name}: it has ${found}. Use --holdout-rows ${most} or less`,
  );
}
