import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { UserError } from "../../../base/user_error.ts";
import type { ServeEnv } from "../env.ts";
import { Problem, problems } from "../problem.ts";
import { StatusSchema } from "../schemas.ts";
import type { Service } from "../service.ts";

/** `POST /admin/reload`: only where tokens tell who asks, since any web page may post to this machine. */
export function addReloadRoute(app: OpenAPIHono<ServeEnv>, service: Service): void {
  if (!service.tokens) return;
  const route = createRoute({
    method: "post",
    path: "/admin/reload",
    summary: "Serve what lies in the folders of run and dataset now",
    responses: {
      200: { description: "It is served", content: { "application/json": { schema: StatusSchema } } },
      ...problems(401, 422, 500),
    },
  });
  app.openapi(route, async (c) => {
    try {
      const { name: run, recommender: { provenance: { checkpoint } } } = await service.reload();
      return c.json({ status: "reloaded", run, checkpoint }, 200);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new Problem(422, `${error.message}. The run from before is served`);
    }
  });
}
