import { OpenAPIHono } from "@hono/zod-openapi";
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";
import manifest from "../../deno.json" with { type: "json" };
import { addStudioRoutes } from "../_studio/routes.ts";
import { servedStudio } from "../_studio/served.ts";
import type { ServeEnv } from "./env.ts";
import { Problem, problemAnswer, type ProblemStatus } from "./problem.ts";
import { readBody } from "./read_body.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addItemRoutes } from "./routes/items.ts";
import { addPageRoutes, isPage } from "./routes/pages.ts";
import { addRecommendRoute } from "./routes/recommend.ts";
import { addReloadRoute } from "./routes/reload.ts";
import { secured } from "./secured.ts";
import type { Service } from "./service.ts";
import { traceOf, traceparentOf } from "./trace.ts";

/** What is answered whoever asks, besides pages: what holds nothing of run and data. */
const OPEN = new Set(["/", "/healthz", "/readyz", "/openapi.json"]);

/** Everything that a server answers. */
export function serveApp(service: Service): OpenAPIHono<ServeEnv> {
  const app = new OpenAPIHono<ServeEnv>({
    defaultHook(result) {
      if (result.success) return;
      const [{ path, message }] = result.error.issues;
      const place = path.length > 0 ? path.join(".") : result.target === "json" ? "the body" : result.target;
      throw new Problem(400, `Cannot use ${place}: ${message}`);
    },
  });
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (problem.status === 500) {
      service.log.write("error", "cannot answer", {
        traceId: c.get("trace").traceId,
        error: String(error.stack),
      });
    }
    return problemAnswer(c, problem);
  });
  app.notFound((c) => {
    const methods = methodsOf(app, c.req.path);
    return problemAnswer(
      c,
      methods.length > 0
        ? new Problem(405, `Cannot ${c.req.method} ${c.req.path}: expected ${methods.join(" or ")}`, {
          Allow: methods.join(", "),
        })
        : new Problem(404, `Cannot find ${c.req.path}. See /docs`),
    );
  });
  app.use(observed(app, service));
  app.use(secured);
  const { corsOrigin } = service.settings;
  if (corsOrigin.length > 0) {
    app.use(cors({ origin: corsOrigin, allowHeaders: ["Authorization", "Content-Type"] }));
  }
  app.use(admitted(service), bounded(service));
  addRecommendRoute(app, service);
  addItemRoutes(app, service);
  addHealthRoutes(app, service);
  addReloadRoute(app, service);
  addStudioRoutes(app, servedStudio(service));
  addPageRoutes(app);
  if (service.tokens) {
    app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  }
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "genrec", version: manifest.version, description: "Recommendations of a trained run" },
    ...(service.tokens && { security: [{ token: [] }] }),
  });
  return app;
}

function problemOf(error: Error): Problem {
  if (error instanceof Problem) return error;
  // Of hono: a body that is no JSON, or of another type.
  if (error instanceof HTTPException && error.status < 500) {
    return new Problem(error.status as ProblemStatus, `Cannot read the request: ${error.message}`);
  }
  return new Problem(
    500,
    "Cannot answer, for a reason that is not the request's. The log has it by this trace id",
  );
}

/** Methods of a path. */
function methodsOf(app: OpenAPIHono<ServeEnv>, path: string): string[] {
  const isOf = (route: string) =>
    new RegExp(`^${route.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+")}$`).test(path);
  return [
    ...new Set(
      app.routes.filter(({ method, path }) => method !== "ALL" && isOf(path)).map(({ method }) => method),
    ),
  ];
}

/** Traces, logs and counts every request. */
function observed(app: OpenAPIHono<ServeEnv>, service: Service) {
  return createMiddleware<ServeEnv>(async (c, next) => {
    const start = performance.now();
    const trace = traceOf(c.req.header("traceparent"));
    c.set("trace", trace);
    c.set("isLate", service.isClosed);
    c.set("deadline", start + 1000 * service.settings.deadline);
    await next();
    c.header("traceparent", traceparentOf(trace));
    c.header("Cache-Control", "no-store");
    const { method, path } = c.req, { status } = c.res;
    const seconds = (performance.now() - start) / 1000;
    // Paths that nobody made would be endless.
    const route = app.routes.find((one) => one.method === method && one.path === routePath(c, -1))?.path ??
      "other";
    service.requests.add({ route, method: route === "other" ? "other" : method, status });
    service.seconds.observe(seconds, { route });
    if (!service.settings.logRequests) return;
    service.log.write("info", "request", {
      method,
      path,
      status,
      ms: Math.round(seconds * 1e5) / 100,
      users: c.get("users"),
      traceId: trace.traceId,
      spanId: trace.spanId,
      parentId: trace.parentId,
    });
  });
}

/** Lets in who bears a token, where there are any. */
function admitted(service: Service) {
  return createMiddleware<ServeEnv>(async (c, next) => {
    if (
      service.tokens && !OPEN.has(c.req.path) && !isPage(c.req.path) &&
      !service.tokens.admits(c.req.header("Authorization"))
    ) {
      throw new Problem(
        401,
        "Cannot let you in: expected the header `Authorization: Bearer TOKEN` with a known token",
        {
          "WWW-Authenticate": "Bearer",
        },
      );
    }
    await next();
  });
}

/** Reads bodies within their bounds, before anything else does. */
function bounded(service: Service) {
  return createMiddleware<ServeEnv>(async (c, next) => {
    const { raw } = c.req;
    if (raw.body) {
      if (c.get("isLate")) {
        throw new Problem(503, "Cannot answer: the server ends. Try again", {
          "Retry-After": "1",
          Connection: "close",
        });
      }
      const body = await readBody(raw, service.settings.maxBody, c.get("deadline") - performance.now());
      c.req.raw = new Request(raw, { body });
    }
    await next();
  });
}
