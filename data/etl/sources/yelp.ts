import { formatOf } from "../read/file_format.ts";
import { type RawSource, textOf } from "../source.ts";
import { name, sql } from "../read/sql.ts";

/** The Yelp Open Dataset: reviews of businesses, which are the items. */
export const yelp: RawSource = {
  name: "yelp",
  layout: "--reviews yelp_academic_dataset_review.json --meta yelp_academic_dataset_business.json",
  source: "Yelp Open Dataset",
  license: "Yelp Dataset Terms of Use: academic use only, not to be passed on",
  titleFilter: "nonempty",
  columnsByUser: false,
  reviews: (path) => ({
    format: formatOf(path),
    user: "user_id",
    item: "business_id",
    time: { column: "date", unit: "text", format: "" },
    rating: "stars",
  }),
  items: (path) => ({
    format: formatOf(path),
    columns: ["business_id", "name", "city", "state", "categories", "stars", "review_count", "attributes"],
    required: ["business_id", "name"],
    id: textOf(name("business_id")),
    title: name("name"),
    // No business describes itself; the place is what its text can say.
    description: sql`to_json(concat_ws(', ', city ->> '$', state ->> '$'))`,
    categories: sql`to_json(string_split(categories ->> '$', ', '))`,
    attributes: sql`json_object('stars', stars, 'review_count', review_count, 'attributes', attributes)`,
  }),
};
