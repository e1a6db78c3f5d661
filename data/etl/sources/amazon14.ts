import { formatOf } from "../read/file_format.ts";
import { type RawSource, textOf } from "../source.ts";
import { name, sql } from "../read/sql.ts";
import { amazon18 } from "./amazon18.ts";

/** Amazon reviews of 2014 (McAuley lab): `reviews_X.json.gz` or `reviews_X_5.json.gz`, and `meta_X.json.gz`, which holds Python dicts. */
export const amazon14: RawSource = {
  name: "amazon14",
  layout: "--reviews reviews_X_5.json.gz --meta meta_X.json.gz",
  source: "Amazon product reviews, 2014 (McAuley lab, UC San Diego)",
  license: "published for research; item text belongs to its sellers",
  titleFilter: "strict",
  columnsByUser: false,
  keepsFileOrder: true,
  reviews: amazon18.reviews, // the same fields in both years
  items: (path) => ({
    format: formatOf(path),
    columns: ["asin", "title", "description", "brand", "categories", "price", "imUrl"],
    required: ["asin", "title"],
    id: textOf(name("asin")),
    title: name("title"),
    description: name("description"),
    brand: name("brand"),
    categories: name("categories"),
    price: textOf(name("price")),
    attributes: sql`json_object('images', if("imUrl" IS NULL, NULL, json_array("imUrl")))`,
  }),
};
