import { formatOf } from "../read/file_format.ts";
import { type RawSource, textOf } from "../source.ts";
import { name, sql } from "../read/sql.ts";

/** Amazon reviews of 2018 (Ni, Li, McAuley, EMNLP 2019): `X.json.gz` or `X_5.json.gz`, and `meta_X.json.gz`. */
export const amazon18: RawSource = {
  name: "amazon18",
  layout: "--reviews X_5.json.gz --meta meta_X.json.gz",
  source: "Amazon product reviews, 2018 (Ni, Li and McAuley, EMNLP 2019)",
  license: "published for research; item text belongs to its sellers",
  titleFilter: "strict",
  columnsByUser: false,
  keepsFileOrder: true,
  reviews: (path) => ({
    format: formatOf(path),
    user: "reviewerID",
    item: "asin",
    time: { column: "unixReviewTime", unit: "seconds", format: "" },
    rating: "overall",
  }),
  items: (path, { categoriesKeyOnly }) => ({
    format: formatOf(path),
    columns: [
      "asin",
      "title",
      "description",
      "brand",
      "category",
      "categories",
      "price",
      "feature",
      "imageURLHighRes",
    ],
    required: ["asin", "title"],
    id: textOf(name("asin")),
    title: name("title"),
    description: name("description"),
    // "by\n" precedes the name where the page had it in a line of its own.
    brand: sql`replace(brand, 'by\\n', '')`,
    categories: categoriesKeyOnly ? name("categories") : sql`coalesce(category, categories)`,
    price: textOf(name("price")),
    features: name("feature"),
    attributes: sql`json_object('images', "imageURLHighRes")`,
  }),
};
