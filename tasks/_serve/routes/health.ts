import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { ServeEnv } from "../env.ts";
import { Problem, problems } from "../problem.ts";
import { StatusSchema } from "../schemas.ts";
import type { Service } from "../service.ts";

const status = (description: string) => ({
  description,
  content: { "application/json": { schema: StatusSchema } },
});

/** `GET /healthz`, `/readyz` and `/metrics`. */
export function addHealthRoutes(app: OpenAPIHono<ServeEnv>, service: Service): void {
  const alive = createRoute({
    method: "get",
    path: "/healthz",
    summary: "Whether the process lives",
    security: [],
    responses: { 200: status("It lives") },
  });
  app.openapi(alive, (c) => c.json({ status: "alive" }, 200));
  const ready = createRoute({
    method: "get",
    path: "/readyz",
    summary: "Whether requests are answered",
    security: [],
    responses: { 200: status("They are"), ...problems(503) },
  });
  app.openapi(ready, (c) => {
    if (!service.isReady) {
      throw new Problem(
        503,
        `No requests are answered: ${service.isDraining ? "it stops" : "the run is loaded"}`,
        {
          "Retry-After": "1",
        },
      );
    }
    return c.json({ status: "ready" }, 200);
  });
  const metrics = createRoute({
    method: "get",
    path: "/metrics",
    summary: "What is counted, as Prometheus reads it",
    responses: {
      200: { description: "Text format 0.0.4", content: { "text/plain": { schema: z.string() } } },
      ...problems(401),
    },
  });
  app.openapi(
    metrics,
    (c) => c.text(service.metricsText(), 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
}
