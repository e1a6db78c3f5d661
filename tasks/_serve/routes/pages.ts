import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ServeEnv } from "../env.ts";
import * as registry from "../pages/registry.ts";
import type { PageFile, ServedPage } from "../pages/page.ts";

const PAGES: readonly ServedPage[] = Object.values(registry);

/** Files of all pages by path. */
const files: ReadonlyMap<string, PageFile> = new Map(PAGES.flatMap(({ files }) => Object.entries(files)));

/** Whether a path is that of a file of a page. */
export function isPage(path: string): boolean {
  return files.has(path);
}

/** `GET` of what the pages are made of, and the way from `/` to the first of them. */
export function addPageRoutes(app: OpenAPIHono<ServeEnv>): void {
  for (const [path, { type, text }] of files) {
    app.get(path, (c) => c.body(text, 200, { "Content-Type": `${type}; charset=utf-8` }));
  }
  app.get("/", (c) => c.redirect(files.keys().next().value!, 302));
}
