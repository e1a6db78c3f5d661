import type { Env, Hono } from "hono";
import type { Context } from "hono";
import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import type { Studio } from "./show.ts";
import { tryRun } from "./try_run.ts";

const Id = z.coerce.number().int().min(0);
const LogQuery = z.object({ run: Id, version: z.string().max(40).default(""), after: Id.default(0) });
/** Numbers with commas between them. */
const Items = z.string().regex(/^\d{1,9}(,\d{1,9}){0,199}$/, "expected 1 to 200 item numbers, such as 12,77")
  .transform((text) => text.split(",").map(Number));
/** Tokens such as `<a_1><b_2>`. */
const Prefix = z.string().max(1000).default("").transform((text) => text.match(/<[^<>]*>/g) ?? []);
const RunQuery = z.object({ run: Id });
const SearchQuery = RunQuery.extend({ q: z.string().max(200).default("") });
const PlaceQuery = RunQuery.extend({ item: Id });
const TreeQuery = RunQuery.extend({ prefix: Prefix });
const TryQuery = RunQuery.extend({
  history: Items,
  top: z.coerce.number().int().min(1).max(50).default(10),
  beams: z.coerce.number().int().min(1).max(200).default(20),
  excludeSeen: z.enum(["true", "false"]).default("true").transform((text) => text === "true"),
});
const EvaluationQuery = z.object({ baseline: z.string().max(500).default("") });

/** Adds what the page of the studio asks for, all of it below `/studio/`; `open` gives what is shown now. */
export function addStudioRoutes<E extends Env>(app: Hono<E>, open: () => Promise<Studio>): void {
  const answer = <Q>(path: string, query: z.ZodType<Q>, find: (query: Q, studio: Studio) => unknown) => {
    app.get(
      `/studio/${path}`,
      (c) =>
        answered(
          c as unknown as Context,
          query,
          c.req.query(),
          async (asked: Q) => find(asked, await open()),
        ),
    );
  };
  const none = z.object({});
  answer("runs", none, (_, studio) => studio.runs.map(({ facts }) => facts));
  answer("settings", none, (_, studio) => studio.runs.map(({ settings }) => settings));
  answer("log", LogQuery, ({ run, version, after }, studio) => studio.log(run, version, after));
  answer(
    "items",
    SearchQuery,
    ({ run, q }, studio) => studio.explore(run, (one) => Promise.resolve(one.find(q))),
  );
  answer("item", PlaceQuery, ({ run, item }, studio) => studio.explore(run, (one) => one.place(item)));
  answer(
    "tree",
    TreeQuery,
    ({ run, prefix }, studio) => studio.explore(run, (one) => Promise.resolve(one.level(prefix))),
  );
  answer("shape", RunQuery, ({ run }, studio) => studio.explore(run, (one) => Promise.resolve(one.shape())));
  answer("map", RunQuery, ({ run }, studio) => studio.explore(run, (one) => one.map()));
  answer("try", TryQuery, ({ run, ...tried }, studio) => studio.explore(run, (one) => tryRun(one, tried)));
  answer("evaluations", EvaluationQuery, ({ baseline }, studio) => studio.evaluations(baseline));
}

/** JSON of what is found, or of what is wrong and what to do. */
async function answered<Q>(
  c: Context,
  schema: z.ZodType<Q>,
  given: unknown,
  find: (query: Q) => unknown,
): Promise<Response> {
  const query = schema.safeParse(given);
  if (!query.success) {
    const [{ path, message }] = query.error.issues;
    return c.json({ detail: `Cannot use ${path.join(".") || "the request"}: ${message}` }, 400);
  }
  try {
    return c.json(await find(query.data) as object, 200, { "Cache-Control": "no-store" });
  } catch (error) {
    if (error instanceof UserError) return c.json({ detail: error.message }, 422);
    throw error;
  }
}
