import { UserError } from "../../../base/user_error.ts";
import { delimited } from "../read/file_format.ts";
import { type ItemTable, type RawSource, type TableFormat, textOf } from "../source.ts";
import { name, sql } from "../read/sql.ts";

const GENRES =
  ("unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|" +
    "Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western").split("|");
const RATING_COLUMNS = ["userId", "movieId", "rating", "timestamp"];
const HUNDRED_K_COLUMNS = ["movieId", "title", "release", "video", "url", ...GENRES];

/** MovieLens (Harper and Konstan, 2015) in each of its three layouts: 100K, 1M and 10M, 20M and later. */
export const movielens: RawSource = {
  name: "movielens",
  layout: "--reviews ratings.csv | ratings.dat | u.data  --meta movies.csv | movies.dat | u.item",
  source: "MovieLens (Harper and Konstan, ACM TiiS 5(4), 2015)",
  license: "GroupLens terms: research use, no redistribution without permission, not commercial",
  titleFilter: "nonempty",
  columnsByUser: false,
  reviews: (path) => ({
    format: layoutOf(path, "u.data", "\t", RATING_COLUMNS),
    user: "userId",
    item: "movieId",
    time: { column: "timestamp", unit: "seconds", format: "" },
    rating: "rating",
  }),
  items: (path) => {
    const is100K = fileName(path) === "u.item";
    const columns = is100K ? HUNDRED_K_COLUMNS : ["movieId", "title", "genres"];
    return {
      format: layoutOf(path, "u.item", "|", columns),
      columns,
      required: ["movieId", "title"],
      id: textOf(name("movieId")),
      title: name("title"),
      categories: is100K ? flaggedGenres() : sql`to_json(string_split(genres ->> '$', '|'))`,
    } satisfies ItemTable;
  },
};

function layoutOf(
  path: string,
  oldName: string,
  oldDelimiter: string,
  columns: readonly string[],
): TableFormat {
  const file = fileName(path);
  // A title may hold a quote. Those up to 1M were written before Unicode, that of 10M is UTF-8.
  const old = { kind: "csv", header: columns, quote: "", legacy: "latin1" } as const;
  if (file === oldName) return { ...old, delimiter: oldDelimiter };
  if (file.endsWith(".dat")) return { ...old, delimiter: "::" };
  if (file.endsWith(".csv")) return delimited(",");
  throw new UserError(
    `Cannot read ${path} as MovieLens: expected a .csv or .dat file or ${oldName}. Check the path`,
  );
}

/** The name that tells the layout, without packing. */
function fileName(path: string): string {
  return path.split("/").at(-1)!.toLowerCase().replace(/\.(gz|zst)$/, "");
}

/** The 100K file has a column of 0 or 1 for each genre. */
function flaggedGenres() {
  const flags = GENRES.map((genre) => sql`if((${name(genre)} ->> '$') = '1', ${genre}, NULL)`);
  return sql`to_json(list_filter(${flags}, lambda genre: genre IS NOT NULL))`;
}
