import { UserError } from "../../../base/user_error.ts";
import { formatOf } from "../read/file_format.ts";
import { type ColumnMapping, type RawSource, textOf } from "../source.ts";
import { name } from "../read/sql.ts";

/** Any table of events whose columns the user names; the items are in a second table or in the same one. */
export const generic: RawSource = {
  name: "generic",
  layout: "--reviews FILE --user COLUMN --item COLUMN [--time COLUMN ...] [--meta FILE --title COLUMN ...]",
  source: "the user's own logs",
  license: "as the owner of the logs says",
  titleFilter: "nonempty",
  columnsByUser: true,
  reviews(path, { columns }) {
    const { user, item, time, timeUnit, timeFormat, rating, context } = columns;
    for (const role of ["user", "item"] as const) {
      if (columns[role] !== "") continue;
      throw new UserError(`Cannot read ${path}: no column for the ${role}. Name it with --${role}`);
    }
    return {
      format: formatOf(path),
      user,
      item,
      time: time === "" ? undefined : { column: time, unit: timeUnit, format: timeFormat },
      rating: rating || undefined,
      context: context || undefined,
    };
  },
  items(path, { columns }) {
    const { item, metaItem, title, text, brand, category, price, features } = columns;
    const id = metaItem || item;
    const json = (column: string) => column === "" ? undefined : name(column);
    if (title === "") return undefined;
    const named = unique([id, title, text, brand, category, price, features]);
    return {
      format: formatOf(path),
      columns: named,
      required: named,
      id: textOf(name(id)),
      title: name(title),
      description: json(text),
      brand: json(brand),
      categories: json(category),
      price: price === "" ? undefined : textOf(name(price)),
      features: json(features),
    };
  },
};

function unique(columns: ColumnMapping[keyof ColumnMapping][]): string[] {
  return [...new Set(columns)].filter((column) => column !== "");
}
