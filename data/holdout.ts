import { UserError } from "../base/user_error.ts";
import type { Dataset } from "./dataset.ts";
import { chainHistories } from "./histories.ts";

/**
 * The dataset with its last `rows` train targets held out: they become the valid split, and the train split is what
 * came before them. 0 leaves the dataset as it is. Where train samples stand in time order the last rows go, else, as in
 * leave-one-out splits, the last target of `rows` users, evenly spread over those who have two or more.
 * @throws {UserError} where fewer targets are there than are to be held out.
 */
export function holdOut(dataset: Dataset, rows: number): Dataset {
  if (rows === 0) return dataset;
  const { samples, histories } = dataset;
  const inTimeOrder = histories.every(({ times }) => times !== undefined);
  const held = inTimeOrder ? lastRows(dataset, rows) : lastOfUsers(dataset, rows);
  const train = samples.train.filter((_, row) => !held.has(row));
  const valid = samples.train.filter((_, row) => held.has(row));
  const cut = new Set(valid.map(({ user }) => user));
  return {
    ...dataset,
    samples: { ...samples, train, valid },
    histories: inTimeOrder
      ? chainHistories(train)
      : histories.map((each) => cut.has(each.user) ? { ...each, items: each.items.slice(0, -1) } : each),
  };
}

/** Rows of a train split in time order that are held out. */
function lastRows({ name, samples: { train } }: Dataset, rows: number): Set<number> {
  if (rows >= train.length) throw tooFew(name, rows, `${train.length} train rows`, train.length - 1);
  return new Set(Array.from({ length: rows }, (_, i) => train.length - rows + i));
}

/** Rows that are held out of a train split in which only the targets of one user stand in time order. */
function lastOfUsers({ name, samples: { train } }: Dataset, rows: number): Set<number> {
  const last = new Map<string, number>(), targets = new Map<string, number>();
  for (const [row, { user }] of train.entries()) {
    last.set(user, row);
    targets.set(user, (targets.get(user) ?? 0) + 1);
  }
  const able = [...last].filter(([user]) => targets.get(user)! > 1).map(([, row]) => row);
  if (rows > able.length) {
    throw tooFew(name, rows, `${able.length} users with two train targets or more`, able.length);
  }
  return new Set(Array.from({ length: rows }, (_, i) => able[Math.floor(i * able.length / rows)]));
}

function tooFew(name: string, rows: number, found: string, most: number): UserError {
  return new UserError(
    `Cannot hold out ${rows} train targets of ${name}: it has ${found}. Use --holdout-rows ${most} or less`,
  );
}
