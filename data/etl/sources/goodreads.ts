import { formatOf } from "../read/file_format.ts";
import { type RawSource, textOf } from "../source.ts";
import { name, sql } from "../read/sql.ts";

/** Goodreads (Wan and McAuley, RecSys 2018): `goodreads_interactions_*.json.gz` and `goodreads_books_*.json.gz`. */
export const goodreads: RawSource = {
  name: "goodreads",
  layout: "--reviews goodreads_interactions_X.json.gz --meta goodreads_books_X.json.gz",
  source: "Goodreads shelves (Wan and McAuley, RecSys 2018)",
  license: "academic use only, not to be passed on or used commercially",
  titleFilter: "nonempty",
  columnsByUser: false,
  reviews: (path) => ({
    format: formatOf(path),
    user: "user_id",
    item: "book_id",
    // Such as "Fri Aug 25 13:55:02 -0700 2017".
    time: { column: "date_added", unit: "text", format: "%a %b %d %H:%M:%S %z %Y" },
    rating: "rating",
  }),
  items: (path) => ({
    format: formatOf(path),
    columns: ["book_id", "title", "description", "publisher", "popular_shelves", "num_pages", "image_url"],
    required: ["book_id", "title"],
    id: textOf(name("book_id")),
    title: name("title"),
    description: name("description"),
    brand: name("publisher"),
    // Readers' own shelf names, most used first; the first two say what they did with the book, not what it is.
    categories: sql`to_json(list_filter(
      popular_shelves ->> '$[*].name',
      lambda shelf: shelf NOT IN ('to-read', 'currently-reading')
    )[1:5])`,
    attributes:
      sql`json_object('num_pages', num_pages, 'images', if(image_url IS NULL, NULL, json_array(image_url)))`,
  }),
};
