import { formatOf } from "../read/file_format.ts";
import { type RawSource, textOf } from "../source.ts";
import { name, sql } from "../read/sql.ts";

/** Amazon reviews of 2023 (Hou et al., arXiv:2403.03952): `X.jsonl.gz` and `meta_X.jsonl.gz`; variants of a product share an id. */
export const amazon23: RawSource = {
  name: "amazon23",
  layout: "--reviews X.jsonl.gz --meta meta_X.jsonl.gz",
  source: "Amazon product reviews, 2023 (Hou et al., arXiv:2403.03952)",
  license: "published for research; item text belongs to its sellers",
  titleFilter: "nonempty",
  columnsByUser: false,
  keepsFileOrder: true,
  reviews: (path) => ({
    format: formatOf(path),
    user: "user_id",
    item: "parent_asin",
    time: { column: "timestamp", unit: "milliseconds", format: "" },
    rating: "rating",
  }),
  items: (path) => ({
    format: formatOf(path),
    columns: [
      "parent_asin",
      "title",
      "description",
      "store",
      "categories",
      "price",
      "features",
      "main_category",
      "details",
      "images",
    ],
    required: ["parent_asin", "title"],
    id: textOf(name("parent_asin")),
    title: name("title"),
    description: name("description"),
    brand: name("store"),
    categories: name("categories"),
    price: textOf(name("price")),
    features: name("features"),
    attributes: sql`json_object(
      'main_category', main_category,
      'details', details,
      'images', list_transform(
        json_extract(images, '$[*]'),
        lambda image: coalesce(
          json_extract_string(image, '$.hi_res'),
          json_extract_string(image, '$.large'),
          json_extract_string(image, '$.thumb')
        )
      )
    )`,
  }),
};
