import type { Corpus } from "../corpus.ts";
import type { Findings } from "./findings.ts";

/** Items and users: ids once each, a title on every item where any has one. */
export function checkCatalogue({ items, users }: Corpus, findings: Findings): void {
  for (const [rows, name] of [[items, "item"], [users, "user"]] as const) {
    const seen = new Map<string, number>();
    for (const [number, { id }] of rows.entries()) {
      const earlier = seen.get(id);
      if (earlier !== undefined) {
        findings.add(`Two ${name}s have the same id`, `"${id}" of ${name}s ${earlier} and ${number}`);
      }
      seen.set(id, number);
    }
  }
  const titled = items.some(({ title }) => title.trim() !== "");
  for (const [item, { title, price }] of items.entries()) {
    if (titled && title.trim() === "") findings.add("An item has no title", `item ${item}`);
    if (price !== undefined && !(price >= 0)) {
      findings.add("A price is not a number from 0", `item ${item}: ${price}`);
    }
  }
}
