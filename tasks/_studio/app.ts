import { Hono } from "hono";
import { studio as page } from "../_serve/pages/studio.ts";
import { addPageRoutes } from "../_serve/routes/pages.ts";
import { secured } from "../_serve/secured.ts";
import { addStudioRoutes } from "./routes.ts";
import type { Studio } from "./show.ts";

/** Everything that `genrec studio` answers; `tell` gets what is wrong with this program. */
export function studioApp(studio: Studio, tell: (line: string) => void): Hono {
  const app = new Hono();
  app.use(secured);
  app.onError((error, c) => {
    tell(`Cannot answer ${c.req.path}: ${error.stack}`);
    return c.json(
      { detail: "Cannot answer, for a reason that is not the request's. The terminal has it" },
      500,
    );
  });
  app.notFound((c) => c.json({ detail: `Cannot find ${c.req.path}. The page is /studio` }, 404));
  addStudioRoutes(app, () => Promise.resolve(studio));
  addPageRoutes(app, [page]);
  return app;
}
