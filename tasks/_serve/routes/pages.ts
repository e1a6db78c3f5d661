import type { Env, Hono } from "hono";
import * as registry from "../pages/registry.ts";
import type { PageFile, ServedPage } from "../pages/page.ts";

const PAGES: readonly ServedPage[] = Object.values(registry);

const filesOf = (pages: readonly ServedPage[]): ReadonlyMap<string, PageFile> =>
  new Map(pages.flatMap(({ files }) => Object.entries(files)));

/** Files of all pages by path. */
const all = filesOf(PAGES);

/** Whether a path is that of a file of a page. */
export function isPage(path: string): boolean {
  return all.has(path);
}

/** `GET` of what pages are made of, and the way from `/` to the first of them. */
export function addPageRoutes<E extends Env>(app: Hono<E>, pages: readonly ServedPage[] = PAGES): void {
  const files = filesOf(pages);
  for (const [path, { type, text }] of files) {
    app.get(path, async (c) => {
      const content = typeof text === "string" ? text : await text();
      return c.body(content, 200, { "Content-Type": `${type}; charset=utf-8` });
    });
  }
  app.get("/", (c) => c.redirect(files.keys().next().value!, 302));
}
