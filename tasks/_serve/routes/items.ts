import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { listedItem } from "../../_recommend/answer.ts";
import type { ServeEnv } from "../env.ts";
import { Problem, problems } from "../problem.ts";
import { ItemDetailsSchema, ItemQuerySchema, ItemsQuerySchema, ItemsSchema } from "../schemas.ts";
import type { Service } from "../service.ts";

/** `GET /items` and `GET /items/{id}`. */
export function addItemRoutes(app: OpenAPIHono<ServeEnv>, service: Service): void {
  const found = createRoute({
    method: "get",
    path: "/items",
    summary: "Items by words of their titles",
    request: { query: ItemsQuerySchema },
    responses: {
      200: { description: "Items", content: { "application/json": { schema: ItemsSchema } } },
      ...problems(400, 401),
    },
  });
  app.openapi(found, (c) => {
    const { q, limit, offset } = c.req.valid("query");
    return service.withRun((run) => {
      const items = run.search.find(q);
      return Promise.resolve(c.json({
        total: items.length,
        items: items.slice(offset, offset + limit).map((item) => listedItem(run.recommender, item)),
      }, 200));
    });
  });
  const one = createRoute({
    method: "get",
    path: "/items/{id}",
    summary: "An item and what is near it",
    request: {
      params: z.object({ id: z.string().min(1).max(500).describe("item number, or id of the data") }),
      query: ItemQuerySchema,
    },
    responses: {
      200: { description: "The item", content: { "application/json": { schema: ItemDetailsSchema } } },
      ...problems(400, 401, 404, 503),
    },
  });
  app.openapi(one, (c) => {
    const { id } = c.req.valid("param");
    if (!service.isLoaded) {
      throw new Problem(503, "Cannot say what is near an item: the run is being loaded. Try again", {
        "Retry-After": "1",
      });
    }
    return service.withRun((run) => {
      const { lookup, recommender } = run;
      const item = lookup.find(id);
      if (item === undefined) throw new Problem(404, lookup.unknown([id], "the path").message);
      const { description, brand, categories, price } = recommender.dataset.items[item];
      const { by, items } = run.neighbours.of(item, c.req.valid("query").neighbours);
      return Promise.resolve(c.json({
        ...listedItem(recommender, item),
        description,
        brand,
        categories,
        price,
        neighbours: {
          by,
          items: items.map(({ item, score }) => ({ ...listedItem(recommender, item), score })),
        },
      }, 200));
    });
  });
}
