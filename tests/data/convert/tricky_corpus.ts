import type { Corpus } from "../../../data/corpus.ts";
import { toColumns } from "../../../data/interactions.ts";

/** Five items whose texts break careless writers, three users, every optional field, SIDs of two and three tokens. */
export function trickyCorpus(): Corpus {
  return {
    name: "tricky",
    source: "made for tests",
    license: "Apache-2.0",
    split: "time",
    maxHistory: 3,
    items: [
      { id: "B0", title: "NA", categories: [] },
      {
        id: "B1",
        title: `Bob's "best" tape,\t2 in`,
        description: "Line one\nline two, with 'quotes' and \"more\"",
        brand: "O'Neil, Inc.",
        categories: ["Tools", "Tape & Glue"],
        price: 12.5,
        features: "sticky; blue",
        attributes: { details: { weight: "1 kg", tags: ["a", "b"] }, note: "tab\there" },
      },
      { id: "B2", title: "null", categories: ["Ünïcode 漢字 😀"] },
      { id: "B3", title: "Steel Rule, 30 cm", description: "['not', a list", categories: [] },
      { id: "B4", title: "Clamp\\Vise \u00a0 end", categories: ["Tools"], price: 0 },
    ],
    users: [{ id: "u-a" }, { id: "u-b", attributes: { meanRating: 4.5 } }, { id: "u-c" }],
    interactions: toColumns([
      { user: 0, item: 0, time: 100, rating: 5 },
      { user: 0, item: 1, time: 200, rating: 4.5 },
      { user: 0, item: 0, time: 500, rating: 1 },
      { user: 0, item: 4, time: 900 },
      { user: 1, item: 2, time: 150, rating: 3 },
      { user: 1, item: 3, time: 700, rating: 2 },
      { user: 1, item: 1, time: 800, rating: 2 },
      { user: 2, item: 4, time: 50, rating: 2 },
    ]),
    samples: {
      train: [
        { user: 0, history: [0], target: 1, time: 200 },
        { user: 0, history: [0, 1], target: 0, time: 500, attributes: { context: "browse" } },
      ],
      valid: [{ user: 1, history: [2], target: 3, time: 700 }],
      test: [
        { user: 1, history: [2, 3], target: 1, time: 800 },
        { user: 0, history: [0, 1, 0], target: 4, time: 900 },
      ],
    },
    sids: [
      ["<a_0>", "<b_7>"],
      ["<a_10>", "<b_7>", "<c_1>"],
      ["<a_10>", "<b_7>", "<c_2>"],
      ["<a_2>", "<b_0>"],
      ["<a_2>", "<b_1>"],
    ],
    attachments: { "minionerec/index.other.json": '{"0": ["<a_1>"]}' },
    files: [],
    unread: [],
  };
}
