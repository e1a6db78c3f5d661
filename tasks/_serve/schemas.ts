import { z } from "zod";
import { SCORE_UNITS } from "../../eval/recommender.ts";
import { NEARNESS } from "./neighbours.ts";
import type { Limits } from "./settings.ts";

const LONGEST_TEXT = 2000;
const MOST_TURNS = 20;

const text = z.string().max(LONGEST_TEXT);
const itemName = z.union([z.int().min(0).max(2 ** 32), z.string().min(1).max(500)]).meta({
  description: "item number, or id of the data; `id:12` is an id whatever the numbers",
  example: 12,
});

/** Items a user that is answered with where a request does not say how many. */
export function usualTop({ maxTop }: Pick<Limits, "maxTop">): number {
  return Math.min(10, maxTop);
}

/** What `POST /recommend` takes, within the limits. */
export function recommendSchema(limits: Limits) {
  const { maxUsers, maxTop, maxItems } = limits;
  const asker = {
    history: z.array(itemName).min(1).max(maxItems).optional().meta({
      description: "what the user bought, oldest first",
      example: [1, 0],
    }),
    titles: z.array(text).min(1).max(maxItems).optional().describe(
      "the same by whole titles, instead of history",
    ),
    preference: text.optional().describe("the user's taste in words, where the task asks by it"),
    say: z.union([text, z.array(text).min(1).max(MOST_TURNS)]).optional().describe(
      "what the user says after the question, a text or several turns, where the model reads text",
    ),
  };
  return z.strictObject({
    ...asker,
    users: z.array(z.strictObject({ user: z.union([z.string().max(200), z.number()]).optional(), ...asker }))
      .min(1).max(maxUsers).optional().describe("several users, instead of one"),
    top: z.int().min(1).max(maxTop).default(usualTop(limits)).describe("items a user"),
    categories: z.array(z.string().max(200)).max(50).default([]).meta({
      description: "only items of any of these categories",
      example: [],
    }),
    allow: z.array(itemName).min(1).max(100_000).optional().meta({
      description: "only these items",
      example: undefined,
    }),
    deny: z.array(itemName).max(maxItems).default([]).meta({
      description: "none of these items",
      example: [],
    }),
    excludeSeen: z.boolean().default(false).describe("no items of the history"),
    timeout: z.number().positive().max(3600).optional().describe(
      "seconds after which an answer is of no use; never more than those of the server",
    ),
  }).meta({ id: "RecommendRequest", description: "one user, or several under users" });
}

/** What `POST /recommend` is asked. */
export type RecommendBody = z.output<ReturnType<typeof recommendSchema>>;

const item = {
  item: z.int().describe("item number"),
  id: z.string().optional().describe("id in the data, where that is not the item number"),
  sid: z.string().optional().describe("semantic ID, where the run has them"),
  title: z.string(),
};

const ItemSchema = z.object(item).meta({ id: "Item" });
const ScoredItemSchema = z.object({ ...item, score: z.number() }).meta({ id: "ScoredItem" });

/** What a run is called in answers. */
const served = {
  run: z.string().describe("name of the folder of the run"),
  checkpoint: z.string(),
};

/** What `POST /recommend` answers. */
export const AnswerSchema = z.object({
  ...served,
  scoreUnit: z.enum(SCORE_UNITS).describe("what scores are; higher is better, comparable within a list"),
  unknown: z.array(z.union([z.int(), z.string()])).optional().describe(
    "entries of allow and deny that the data does not have",
  ),
  answers: z.array(
    z.object({
      user: z.union([z.string(), z.number()]).optional(),
      history: z.array(z.int()).describe("item numbers, oldest first"),
      historyIds: z.array(z.string()).optional().describe("the same by the ids of the data"),
      unknown: z.array(z.union([z.int(), z.string()])).optional().describe(
        "entries that the data does not have",
      ),
      turns: z.array(z.object({ say: z.string(), answer: ItemSchema })).optional().describe(
        "what the user said before, and the item that it was answered with",
      ),
      reasoning: z.string().optional().describe("why, in the words of the model, where it writes reasons"),
      recommendations: z.array(ScoredItemSchema).optional().describe("best first"),
      error: z.string().optional().describe("why there are no recommendations, where there are none"),
    }),
  ).describe("one a user, in their order"),
}).meta({ id: "RecommendAnswer" });

/** What `GET /items` takes. */
export const ItemsQuerySchema = z.object({
  q: z.string().max(200).default("").describe("words of a title, or an id; empty: all items"),
  limit: z.coerce.number().int().min(1).max(100).default(20).describe("items to answer with"),
  offset: z.coerce.number().int().min(0).max(2 ** 31).default(0).describe("items to pass over"),
});

/** What `GET /items` answers. */
export const ItemsSchema = z.object({
  total: z.int().describe("items found"),
  items: z.array(ItemSchema),
}).meta({ id: "Items" });

/** What `GET /items/{id}` takes. */
export const ItemQuerySchema = z.object({
  neighbours: z.coerce.number().int().min(0).max(100).default(10).describe("near items to answer with"),
});

/** What `GET /items/{id}` answers. */
export const ItemDetailsSchema = z.object({
  ...item,
  description: z.string().optional(),
  brand: z.string().optional(),
  categories: z.array(z.string()).optional(),
  price: z.number().optional(),
  neighbours: z.object({
    by: z.enum(NEARNESS).describe(
      "cosine of the model's item vectors, levels of the SID that are the same, or histories that hold both",
    ),
    items: z.array(ScoredItemSchema).describe("nearest first"),
  }),
}).meta({ id: "ItemDetails" });

/** What probes and reloads answer. */
export const StatusSchema = z.object({ status: z.string(), ...z.object(served).partial().shape }).meta({
  id: "Status",
});
