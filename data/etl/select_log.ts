import { UserError } from "../../base/user_error.ts";
import type { Engine } from "./read/engine.ts";
import { name, type Sql, sql } from "./read/sql.ts";
import { mayExpand, startYearEarlier, type TimeWindow } from "./time_window.ts";

/** What is left after a step. */
export interface Step {
  step: string;
  reviews: number;
  users: number;
  items: number;
  /** Reviews that the step before had and this one has not. */
  lost: number;
}

/** Least interactions of a user and of an item. */
export interface CoreSize {
  userK: number;
  itemK: number;
}

/** How reviews are chosen. */
export interface Selection extends CoreSize {
  window: TimeWindow;
  /** Whether the end's first instant still counts, as in MiniOneRec. */
  endInclusive: boolean;
  /** MiniOneRec's rule: while fewer than 3000 items are left, the window begins a year earlier. */
  expand: boolean;
}

const EXPAND_BELOW_ITEMS = 3000;

/**
 * Makes table `core` out of `log` (ord BIGINT, place in the input; user, item INTEGER keys; time; rating): the reviews
 * inside the window, then their k-core. Returns what each step left. Throws `UserError` naming the step that left nothing.
 */
export async function selectLog(
  engine: Engine,
  selection: Selection,
  onStep: (step: Step) => void,
): Promise<{ steps: Step[]; window: TimeWindow }> {
  let { window } = selection;
  for (;;) {
    const steps: Step[] = [];
    let before = await countTable(engine, "log");
    const note = async (label: string) => {
      const step = await countLog(engine, "core", label, before);
      before = step.reviews;
      onStep(step);
      steps.push(step);
      return step;
    };
    await engine.replace("core", sql`SELECT * FROM log WHERE ${inside(window, selection.endInclusive)}`);
    if (window.start !== null || window.end !== null) await note(`window ${shown(window)}`);
    await kCore(engine, selection);
    const { items } = await note(coreLabel(selection));
    if (selection.expand && items < EXPAND_BELOW_ITEMS && mayExpand(window)) {
      window = startYearEarlier(window);
      continue;
    }
    const emptied = steps.findIndex(({ reviews }) => reviews === 0);
    if (emptied >= 0) {
      throw new UserError(
        `Cannot make a dataset: no review is left after ${steps[emptied].step}, ${
          steps[emptied].lost
        } went in. ` +
          (steps[emptied].step.startsWith("window")
            ? `The reviews are from ${await span(engine)}: choose --start and --end to fit`
            : `Lower --user-k and --item-k${
              window.start === null && window.end === null ? "" : ", or widen the window"
            }`),
      );
    }
    return { steps, window };
  }
}

/**
 * Shrinks `core` to its k-core: the largest part in which every user has `userK` interactions and every item `itemK`.
 * Each pass removes the weak users and items of the same counts; the result does not depend on that order.
 * Repeated purchases count each.
 */
export async function kCore(engine: Engine, { userK, itemK }: CoreSize): Promise<void> {
  for (;;) {
    await engine.replace("weak_users", weak(sql`"user"`, userK));
    await engine.replace("weak_items", weak(sql`item`, itemK));
    const found = await countTable(engine, "weak_users") + await countTable(engine, "weak_items");
    if (found === 0) return;
    await engine.replace(
      "core",
      sql`SELECT core.* FROM core ANTI JOIN weak_users USING ("user") ANTI JOIN weak_items USING (item)`,
    );
  }
}

function weak(key: Sql, k: number): Sql {
  return sql`SELECT ${key} FROM core GROUP BY ${key} HAVING count(*) < ${k}`;
}

function inside({ start, end }: TimeWindow, endInclusive: boolean): Sql {
  const from = start === null ? sql`TRUE` : sql`time >= ${start}`;
  const to = end === null ? sql`TRUE` : endInclusive ? sql`time <= ${end}` : sql`time < ${end}`;
  return sql`${from} AND ${to}`;
}

/** What a table with columns user and item holds, of the `before` reviews of the step before. */
export async function countLog(engine: Engine, table: string, step: string, before: number): Promise<Step> {
  const counts = await engine.row<Omit<Step, "step" | "lost">>(
    sql`SELECT count(*) AS reviews, count(DISTINCT "user") AS users, count(DISTINCT item) AS items
      FROM ${name(table)}`,
  );
  return { step, ...counts, lost: before - counts.reviews };
}

async function countTable(engine: Engine, table: string): Promise<number> {
  return (await engine.row<{ rows: number }>(sql`SELECT count(*) AS rows FROM ${name(table)}`)).rows;
}

async function span(engine: Engine): Promise<string> {
  const { from, to } = await engine.row<{ from: number; to: number }>(
    sql`SELECT min(time) AS "from", max(time) AS "to" FROM log`,
  );
  return `${day(from)} to ${day(to)}`;
}

function shown({ start, end }: TimeWindow): string {
  return `${start === null ? "..." : day(start)} to ${end === null ? "..." : day(end)}`;
}

function coreLabel({ userK, itemK }: CoreSize): string {
  return userK === itemK ? `${userK}-core` : `core of ${userK} a user, ${itemK} an item`;
}

/** A time as a UTC date. */
export function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
