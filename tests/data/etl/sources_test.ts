// Every raw source reads a small sample of its own files into the same two users, two items and four reviews.
import assert from "node:assert/strict";
import type { EtlConfig } from "../../../data/etl/config.ts";
import { SOURCES } from "../../../data/etl/by_name.ts";
import { withFiles } from "../formats/minionerec/fixture.ts";
import { build, jsonLines, readTables } from "./fixture.ts";

/** The times of the four reviews, unix seconds: 2015-06-01 at noon UTC and the three days after. */
const TIMES = [0, 1, 2, 3].map((day) => Date.parse("2015-06-01T12:00:00Z") / 1000 + day * 86400);
/** User, item, time, rating of each review. */
const REVIEWS = [["u1", "i1", 0], ["u1", "i2", 1], ["u2", "i2", 2], ["u2", "i1", 3]].map((
  [user, item, time],
  n,
) => ({
  user: String(user),
  item: String(item),
  time: TIMES[Number(time)],
  rating: n + 1,
}));

interface Case {
  files: Record<string, string>;
  flags?: Partial<EtlConfig>;
  /** What is known of the first item besides its title. */
  item: {
    description?: string;
    brand?: string;
    categories: string[];
    price?: number;
    features?: string;
    attributes?: unknown;
  };
  hasNoRatings?: boolean;
}

const amazonReviews = REVIEWS.map(({ user, item, time, rating }) => ({
  reviewerID: user,
  asin: item,
  overall: rating,
  unixReviewTime: time,
  reviewText: "works",
}));
const iso = (time: number) => new Date(time * 1000).toISOString().slice(0, 19).replace("T", " ");
const shelfTime = (time: number) =>
  // Goodreads writes the local time and its offset.
  new Date((time - 7 * 3600) * 1000).toUTCString().replace(
    /(\w+), (\d+) (\w+) (\d+) ([\d:]+) GMT/,
    "$1 $3 $2 $5 -0700 $4",
  );

const cases: Record<string, Case[]> = {
  amazon14: [{
    files: {
      "reviews.json": jsonLines(amazonReviews),
      "meta.json":
        `{'asin': 'i1', 'title': "Tom's Tape", 'description': 'Sticky &amp; blue', 'brand': 'Acme', ` +
        `'price': 12.5, 'categories': [['Tools', 'Tape']], 'imUrl': 'http://x/1.jpg'}\n` +
        `{'asin': 'i2', 'title': u'Glue'}\n`,
    },
    item: {
      description: "Sticky & blue",
      brand: "Acme",
      categories: ["Tools", "Tape"],
      price: 12.5,
      attributes: { images: ["http://x/1.jpg"] },
    },
  }],
  amazon18: [{
    files: {
      "reviews.json": jsonLines(amazonReviews),
      "meta.json": jsonLines([{
        asin: "i1",
        title: "Tom&#39;s Tape",
        description: ["Sticky", "&amp; <b>blue</b>"],
        brand: "by\n    Acme",
        category: ["Tools", "Tape", "x</span></span>"],
        price: "$1,012.50",
        feature: ["Long"],
        imageURLHighRes: ["http://x/1.jpg"],
      }, { asin: "i2", title: "Glue", price: "$1.00 - $2.00", feature: [] }]),
    },
    item: {
      description: "Sticky & blue",
      brand: "Acme",
      categories: ["Tools", "Tape"],
      price: 1012.5,
      features: "Long",
      attributes: { images: ["http://x/1.jpg"] },
    },
  }],
  amazon23: [{
    files: {
      "reviews.jsonl": jsonLines(REVIEWS.map(({ user, item, time, rating }) => ({
        user_id: user,
        parent_asin: item,
        asin: "variant",
        rating,
        timestamp: time * 1000 + 999,
        verified_purchase: true,
      }))),
      "meta.jsonl": jsonLines([{
        parent_asin: "i1",
        title: "Tom's Tape",
        description: ["Sticky", "& blue"],
        store: "Acme",
        categories: ["Tools", "Tape"],
        price: 12.5,
        features: ["Long", "Wide"],
        main_category: "Industrial",
        details: { Colour: "Blue" },
        images: [{ hi_res: null, large: "L", thumb: "T" }, { hi_res: "H", large: "L" }],
      }, { parent_asin: "i2", title: "Glue", price: null, images: [] }]),
    },
    item: {
      description: "Sticky & blue",
      brand: "Acme",
      categories: ["Tools", "Tape"],
      price: 12.5,
      features: "Long Wide",
      attributes: { main_category: "Industrial", details: { Colour: "Blue" }, images: ["L", "H"] },
    },
  }],
  yelp: [{
    files: {
      "review.json": jsonLines(REVIEWS.map(({ user, item, time, rating }) => ({
        user_id: user,
        business_id: item,
        stars: rating,
        date: iso(time),
      }))),
      "business.json": jsonLines([
        {
          business_id: "i1",
          name: "Tom's Tape",
          city: "Reno",
          state: "NV",
          categories: "Tools, Tape",
          stars: 4.5,
        },
        { business_id: "i2", name: "Glue" },
      ]),
    },
    flags: { reviews: ["review.json"], meta: ["business.json"] },
    item: { description: "Reno, NV", categories: ["Tools", "Tape"], attributes: { stars: 4.5 } },
  }],
  movielens: [{
    files: {
      "ratings.csv": "userId,movieId,rating,timestamp\n" +
        REVIEWS.map(({ user, item, time, rating }) => `${user},${item},${rating},${time}\n`).join(""),
      "movies.csv": `movieId,title,genres\ni1,"Tom's Tape",Drama|Comedy\ni2,Glue,(no genres listed)\n`,
    },
    flags: { reviews: ["ratings.csv"], meta: ["movies.csv"] },
    item: { categories: ["Drama", "Comedy"] },
  }, {
    files: {
      "ratings.dat": REVIEWS.map(({ user, item, time, rating }) => `${user}::${item}::${rating}::${time}\n`)
        .join(""),
      "movies.dat": `i1::Tom's Tape::Drama|Comedy\ni2::Glue::War\n`,
    },
    flags: { reviews: ["ratings.dat"], meta: ["movies.dat"] },
    item: { categories: ["Drama", "Comedy"] },
  }, {
    files: {
      "u.data": REVIEWS.map(({ user, item, time, rating }) => `${user}\t${item}\t${rating}\t${time}\n`).join(
        "",
      ),
      "u.item": ["i1|Tom's Tape", "i2|Glue"].map((start) =>
        `${start}|01-Jan-1995||http://x|0|0|0|0|0|1|0|0|1|0|0|0|0|0|0|0|0|0|0\n`
      ).join(""),
    },
    flags: { reviews: ["u.data"], meta: ["u.item"] },
    item: { categories: ["Comedy", "Drama"] },
  }],
  goodreads: [{
    files: {
      "interactions.json": jsonLines(REVIEWS.map(({ user, item, time, rating }) => ({
        user_id: user,
        book_id: item,
        rating,
        date_added: shelfTime(time),
      }))),
      "books.json": jsonLines([{
        book_id: "i1",
        title: "Tom's Tape",
        description: "Sticky & blue",
        publisher: "Acme",
        popular_shelves: ["to-read", "fiction", "currently-reading", "tape"].map((name) => ({
          count: "1",
          name,
        })),
        num_pages: "120",
        image_url: "http://x/1.jpg",
      }, { book_id: "i2", title: "Glue", popular_shelves: [] }]),
    },
    flags: { reviews: ["interactions.json"], meta: ["books.json"] },
    item: {
      description: "Sticky & blue",
      brand: "Acme",
      categories: ["fiction", "tape"],
      attributes: { num_pages: "120", images: ["http://x/1.jpg"] },
    },
  }],
  generic: [{
    files: {
      "log.tsv": "who\twhat\twhen\tstars\n" +
        REVIEWS.map(({ user, item, time, rating }) => `${user}\t${item}\t${iso(time)}\t${rating}\n`).join(""),
      "things.jsonl": jsonLines([
        {
          key: "i1",
          name: "Tom's Tape",
          about: "Sticky & blue",
          maker: "Acme",
          kind: "Tools",
          cost: 12.5,
          more: ["Long"],
        },
        { key: "i2", name: "Glue" },
      ]),
    },
    flags: {
      reviews: ["log.tsv"],
      meta: ["things.jsonl"],
      user: "who",
      item: "what",
      time: "when",
      rating: "stars",
      metaItem: "key",
      title: "name",
      text: "about",
      brand: "maker",
      category: "kind",
      price: "cost",
      features: "more",
    },
    item: {
      description: "Sticky & blue",
      brand: "Acme",
      categories: ["Tools"],
      price: 12.5,
      features: "Long",
    },
  }, {
    // Items in the log itself, times in milliseconds, no ratings.
    files: {
      "log.csv": "u,i,t,title\n" +
        REVIEWS.map(({ user, item, time }) =>
          `${user},${item},${time}000,${item === "i1" ? "Tom's Tape" : "Glue"}\n`
        )
          .join(""),
    },
    flags: { reviews: ["log.csv"], meta: [], user: "u", item: "i", time: "t", title: "title" },
    item: { categories: [] },
    hasNoRatings: true,
  }],
};

for (const { name } of SOURCES) {
  Deno.test(`${name} reads its own files`, async () => {
    assert.ok(cases[name], `no sample files for ${name}`);
    for (const { files, flags, item, hasNoRatings } of cases[name]) {
      await withFiles(files, async (dir) => {
        const [reviews, meta] = Object.keys(files);
        await build(dir, {
          dataset: name,
          reviews: [reviews],
          meta: [meta],
          userK: 2,
          itemK: 2,
          allowEmpty: true,
          ...flags,
        });
        const { items, users, interactions } = await readTables(dir);
        assert.deepEqual(items.title, ["Tom's Tape", "Glue"]);
        assert.deepEqual(items.id, ["i1", "i2"]);
        assert.deepEqual(users.id, ["u1", "u2"]);
        const {
          description = null,
          brand = null,
          categories,
          price = null,
          features = null,
          attributes = null,
        } = item;
        assert.deepEqual(
          [items.description[0], items.brand[0], items.categories[0], items.price[0], items.features[0]],
          [description, brand, categories, price, features],
        );
        assert.deepEqual(JSON.parse(items.attributes[0] ?? "null"), attributes);
        // An address of no picture is none.
        assert.ok(!items.attributes[1]?.includes("null"), items.attributes[1] ?? "");
        assert.deepEqual([interactions.user, interactions.item], [[0, 0, 1, 1], [0, 1, 1, 0]]);
        assert.deepEqual(interactions.time.map(Number), TIMES);
        assert.deepEqual(interactions.rating, hasNoRatings ? [null, null, null, null] : [1, 2, 3, 4]);
      });
    }
  });
}
