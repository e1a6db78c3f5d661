import { PrefixIndex } from "../../sid/report/neighbours.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { tableLines } from "../_cli/table.ts";
import { namelessItems, storedItems } from "./stored_items.ts";
import type { SidFlags } from "./flags.ts";
import { readSids } from "./folder.ts";
import { findItem, namesOf } from "./names.ts";

/** Prints the items whose SIDs begin like that of one item. */
export async function inspectItem(flags: SidFlags, io: TaskIO): Promise<void> {
  const stored = await readSids(flags.sids);
  const { tokens, embeddings, recipe, added } = stored;
  const items = await storedItems(flags, stored) ?? namelessItems(recipe.learnedFrom);
  const names = namesOf({ items }, added);
  const item = findItem(flags.inspect, names);
  const described = (item: number) => ({
    item,
    id: names.ids[item],
    title: names.titles[item],
    sid: tokens[item].join(""),
  });
  const groups = new PrefixIndex(tokens, embeddings).neighbours(item, flags.top).map((
    { shared, count, nearest },
  ) => ({
    shared,
    count,
    nearest: nearest.map(({ item, distance }) => ({ ...described(item), distance })),
  }));
  const subject = described(item);
  if (io.json) return console.log(JSON.stringify({ ...subject, neighbours: groups }, null, 2));
  io.log(`item ${item}, id ${subject.id}: ${subject.title}`);
  io.log(`SID ${subject.sid}`);
  if (groups.length === 0) io.log("No other item has the same first code.");
  for (const { shared, count, nearest } of groups) {
    const cut = count > nearest.length ? `, the nearest ${nearest.length}` : "";
    io.log(
      `${shared} of ${tokens[item].length} codes shared with ${count} ${
        count === 1 ? "item" : "items"
      }${cut}:`,
    );
    const rows = nearest.map((
      { item, sid, distance, title },
    ) => [String(item), sid, distance.toFixed(3), title]);
    for (const line of tableLines([["item", "SID", "distance", "title"], ...rows], [1, 3])) {
      io.log(`  ${line}`);
    }
  }
}
